/*
 * Checks the policy against ../testdata/vectors.txt, which says at its top what its lines
 * mean:
 *
 *   cc -std=c99 -Wall -Wextra -Werror -o vectors vectors.c dp.c && ./vectors ../testdata/vectors.txt
 */
#include "dp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 32 };

static const char *const outcomes[] = {"held", "delivered", "sent", "unverified", "rejected", "busy", "accepted"};

static dp_config config;
static dp_policy policy;
static dp_output out, sent, before;  /* the last output, the last SEND and the one before */
static uint16_t ids[DP_ADDRESSES];   /* the latest Message ID of each address */
static uint32_t counts[7], sends;    /* of the last run */
static char *keys[MAX_WORDS], *values[MAX_WORDS];
static int words, line_number, failures;

static void fail(const char *what, const char *got)
{
	fprintf(stderr, "line %d: %s is %s\n", line_number, what, got);
	failures++;
}

static const char *text(const char *key)
{
	for (int i = 0; i < words; i++)
		if (strcmp(keys[i], key) == 0)
			return values[i];
	return "";
}

static uint32_t number(const char *key, uint32_t standard)
{
	const char *value = text(key);

	return *value == 0 ? standard : (uint32_t)strtoul(value, NULL, 10);
}

static void act(dp_output o)
{
	out = o;
	if (o.action != DP_SEND)
		return;
	before = sent;
	sent = o;
	ids[o.address] = o.message_id;
}

/* Reads a field of the state, and sets it to *to if there is one. */
static bool field(const char *name, const uint32_t *to, uint32_t *value)
{
	dp_state *s = &policy.state;
	char key[32];
	size_t length = strlen(name);
	dp_record *r = NULL;

	if (length >= sizeof key)
		return false;
	memcpy(key, name, length + 1);
	if (key[length - 1] >= '0' && key[length - 1] < '0' + DP_ADDRESSES) {
		r = &s->address[key[length - 1] - '0'];
		key[length - 1] = 0;
	}
#define FIELD(label, lvalue, type) \
	if (strcmp(key, label) == 0) { \
		if (to != NULL) \
			lvalue = (type)*to; \
		*value = (uint32_t)(lvalue); \
		return true; \
	}
	FIELD("pending", s->pending, bool)
	FIELD("acknowledged", s->acknowledged, bool)
	FIELD("rotation", s->rotation, uint8_t)
	FIELD("held", s->held, uint8_t)
	FIELD("check_in", s->check_in, uint16_t)
	FIELD("unproven", s->unproven, uint16_t)
	FIELD("number", s->seq, uint32_t)
	FIELD("last_ack", s->last_ack, uint32_t)
	FIELD("hold_all", s->hold_all, uint32_t)
	FIELD("silent", s->silent, uint8_t)
	FIELD("rejections", s->rejections, uint8_t)
	FIELD("round_trip", s->round_trip, uint8_t)
	FIELD("skip", s->skip, uint8_t)
	if (r == NULL)
		return false;
	FIELD("hold", r->hold_until, uint32_t)
	FIELD("penalty", r->penalty, uint8_t)
	FIELD("level", r->level, uint8_t)
	FIELD("misses", r->misses, uint8_t)
#undef FIELD
	return false;
}

static void boot(uint32_t entropy, uint32_t seq) { out = dp_boot(&policy, &config, entropy, seq); }

static void configure(void)
{
	memset(&config, 0, sizeof config);
	config.addresses = (uint8_t)number("addresses", 0);
	config.window_min = number("window_min", 0);
	config.window_max = number("window_max", 0);
	config.awake_max = number("awake_max", 0);
	config.hard_limit = number("hard_limit", 0);
	config.interval = number("interval", 0);
	boot(1, 1);
}

static dp_reply reply(uint8_t from)
{
	const char *type = text("type"), *token = text("token");
	uint32_t code = number("code", 204);
	dp_reply r;

	memset(&r, 0, sizeof r);
	r.from = from;
	r.type = strcmp(type, "con") == 0 ? DP_CON : strcmp(type, "non") == 0 ? DP_NON : strcmp(type, "rst") == 0 ? DP_RST : DP_ACK;
	if (r.type == DP_RST)
		code = 0;
	r.code = (uint8_t)(code / 100 << 5 | code % 100);
	r.has_max_age = *text("max_age") != 0;
	r.max_age = number("max_age", 0);
	r.has_echo = number("echo", 0) == 1;
	if (from < DP_ADDRESSES)
		r.message_id = ids[from];
	if (strcmp(text("mid"), "wrong") == 0)
		r.message_id++;
	if (code != 0) {
		r.token_len = 4;
		memcpy(r.token, sent.token, 4);
	}
	if (strcmp(token, "wrong") == 0)
		r.token[3] ^= 1;
	if (strcmp(token, "short") == 0)
		r.token_len = 3;
	if (strcmp(token, "long") == 0)
		r.token_len = 5;
	return r;
}

/* A simple world: a datagram takes 10 ms to leave, and what is not dead answers 2.04. */
static void run(void)
{
	uint32_t check_ins = number("check_ins", 1), every = number("every", 3600);
	uint32_t dead = number("dead", 0), round_trip = number("round_trip", 300);

	memset(counts, 0, sizeof counts);
	sends = 0;
	words = 0; /* each reply is the plain one */
	for (uint32_t i = 0; i < check_ins; i++) {
		uint32_t arrives[DP_ADDRESSES] = {0}, ms = 0;

		act(dp_wake(&policy, 1000 + i * every, i, true, false));
		while (out.action != DP_SLEEP) {
			uint8_t next = DP_ADDRESSES;

			if (out.action == DP_SEND) {
				sends++;
				ms += 10;
				if ((dead >> out.address & 1) == 0 && out.confirmable && arrives[out.address] == 0)
					arrives[out.address] = ms + round_trip;
				act(dp_tx_done(&policy, ms));
				continue;
			}
			for (uint8_t a = 0; a < DP_ADDRESSES; a++)
				if (arrives[a] != 0 && arrives[a] <= out.until && (next == DP_ADDRESSES || arrives[a] < arrives[next]))
					next = a;
			if (next == DP_ADDRESSES) {
				ms = out.until;
				act(dp_timer(&policy, ms));
			} else {
				dp_reply r = reply(next);

				ms = arrives[next];
				arrives[next] = 0;
				act(dp_rx(&policy, ms, &r));
			}
		}
		counts[out.outcome]++;
	}
}

static void expect_number(const char *key, const char *want, uint32_t got)
{
	const char *dots = strstr(want, "..");
	uint32_t low = (uint32_t)strtoul(want, NULL, 10);
	uint32_t high = dots == NULL ? low : (uint32_t)strtoul(dots + 2, NULL, 10);
	char number_text[16];

	snprintf(number_text, sizeof number_text, "%" PRIu32, got);
	if (got < low || got > high)
		fail(key, number_text);
}

static void expect_same(const char *key, const char *want, bool same, uint32_t got)
{
	if (strcmp(want, "same") != 0 && strcmp(want, "new") != 0)
		expect_number(key, want, got);
	else if (same != (strcmp(want, "same") == 0))
		fail(key, same ? "same" : "new");
}

static void expect(const char *key, const char *want)
{
	static const char *const actions[] = {"send", "listen", "sleep"};
	uint32_t got;

	if (strcmp(key, "send") == 0 || strcmp(key, "listen") == 0 || strcmp(key, "sleep") == 0) {
		if (strcmp(key, actions[out.action]) != 0)
			fail("the output", actions[out.action]);
	} else if (strcmp(key, "to") == 0) {
		expect_number(key, want, out.address);
	} else if (strcmp(key, "con") == 0) {
		expect_number(key, want, out.confirmable);
	} else if (strcmp(key, "no_response") == 0) {
		expect_number(key, want, out.no_response);
	} else if (strcmp(key, "no_reply") == 0) {
		expect_number(key, want, out.hint == DP_NO_REPLY);
	} else if (strcmp(key, "echo") == 0) {
		expect_number(key, want, out.echo);
	} else if (strcmp(key, "mid") == 0) {
		expect_same(key, want, before.message_id == out.message_id, out.message_id);
	} else if (strcmp(key, "token") == 0) {
		expect_same(key, want, memcmp(before.token, out.token, 4) == 0, 0);
	} else if (strcmp(key, "seq") == 0) {
		expect_number(key, want, out.seq);
	} else if (strcmp(key, "until") == 0) {
		expect_number(key, want, out.until);
	} else if (strcmp(key, "seconds") == 0) {
		expect_number(key, want, out.seconds);
	} else if (strcmp(key, "window") == 0) {
		expect_number(key, want, policy.check_in.window);
	} else if (strcmp(key, "outcome") == 0) {
		if (strcmp(want, outcomes[out.outcome]) != 0)
			fail(key, outcomes[out.outcome]);
	} else if (strcmp(key, "n_sends") == 0) {
		expect_number(key, want, sends);
	} else if (strncmp(key, "n_", 2) == 0) {
		for (int i = 0; i < 7; i++)
			if (strcmp(key + 2, outcomes[i]) == 0)
				expect_number(key, want, counts[i]);
	} else if (field(key, NULL, &got)) {
		expect_number(key, want, got);
	} else {
		fail(key, "no field");
	}
}

static void step(const char *verb)
{
	uint32_t now = number("at", 0), ignored;
	uint8_t image[DP_RETAINED];

	if (strcmp(verb, "=") == 0) {
		for (int i = 0; i < words; i++)
			expect(keys[i], values[i]);
	} else if (strcmp(verb, "scenario") == 0) {
		words = 0;
		memset(&sent, 0, sizeof sent);
		memset(ids, 0, sizeof ids);
		configure();
	} else if (strcmp(verb, "config") == 0) {
		configure();
	} else if (strcmp(verb, "boot") == 0) {
		boot(number("entropy", 1), number("seq", 1));
	} else if (strcmp(verb, "renumber") == 0) {
		dp_renumber(&policy, number("seq", 1));
	} else if (strcmp(verb, "state") == 0) {
		for (int i = 0; i < words; i++) {
			uint32_t to = (uint32_t)strtoul(values[i], NULL, 10);

			if (!field(keys[i], &to, &ignored))
				fail(keys[i], "no field");
		}
	} else if (strcmp(verb, "wake") == 0) {
		act(dp_wake(&policy, now, number("entropy", 1), number("new", 0) == 1, number("urgent", 0) == 1));
	} else if (strcmp(verb, "tx") == 0) {
		act(dp_tx_done(&policy, now));
	} else if (strcmp(verb, "timer") == 0) {
		act(dp_timer(&policy, now));
	} else if (strcmp(verb, "rx") == 0) {
		dp_reply r = reply((uint8_t)number("from", 0));

		act(dp_rx(&policy, now, &r));
	} else if (strcmp(verb, "retain") == 0) {
		dp_retain(&policy, image);
		if (!dp_restore(&policy, &config, image))
			fail("the state", "not recognised");
	} else if (strcmp(verb, "tear") == 0) {
		dp_policy torn;

		dp_retain(&policy, image);
		image[number("byte", 0)] ^= (uint8_t)number("mask", 255);
		if (dp_restore(&torn, &config, image))
			fail("a torn state", "taken for a whole one");
	} else if (strcmp(verb, "run") == 0) {
		run();
	} else {
		fail("the verb", verb);
	}
}

int main(int argc, char **argv)
{
	static char line[1024];
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	int scenarios = 0;

	if (file == NULL) {
		fprintf(stderr, "usage: vectors FILE\n");
		return 2;
	}
	while (fgets(line, sizeof line, file) != NULL) {
		char *verb;

		line_number++;
		line[strcspn(line, "#\n")] = 0;
		verb = strtok(line, " \t");
		if (verb == NULL)
			continue;
		words = 0;
		for (char *word; (word = strtok(NULL, " \t")) != NULL && words < MAX_WORDS; words++) {
			char *equals = strchr(word, '=');

			keys[words] = word;
			values[words] = (char *)"1";
			if (equals != NULL) {
				*equals = 0;
				values[words] = equals + 1;
			}
		}
		scenarios += strcmp(verb, "scenario") == 0;
		step(verb);
	}
	fclose(file);
	printf("%d scenarios, %d failures\n", scenarios, failures);
	return failures == 0 ? 0 : 1;
}
