/*
 * One check-in of a device on any POSIX system: sends PAYLOAD (JSON) as TYPE/ID to up to four
 * addresses, by the policy of dp.h. FILE stands for retained memory and flash.
 *
 *   cc -std=c99 -o example example.c dp.c
 *   ./example FILE th a1 '{"t":21.5}' 5683 127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4
 */
#define _POSIX_C_SOURCE 200112L
#include "dp.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
	uint8_t image[DP_RETAINED]; /* retained memory */
	uint32_t reserved;          /* flash */
} kept;
static struct sockaddr_in endpoint[DP_ADDRESSES];

static uint32_t milliseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u);
}

static void keep(const char *file)
{
	FILE *f = fopen(file, "wb");
	if (f == NULL || fwrite(&kept, sizeof kept, 1, f) != 1 || fclose(f) != 0)
		exit((perror(file), 1));
}

/* Appends an option (RFC 7252, section 3.1); deltas and lengths below 269. */
static uint8_t *option(uint8_t *to, unsigned *last, unsigned number, const void *value, size_t length)
{
	unsigned delta = number - *last;
	*last = number;
	*to++ = (uint8_t)((delta < 13 ? delta : 13) << 4 | (length < 13 ? length : 13));
	if (delta >= 13)
		*to++ = (uint8_t)(delta - 13);
	if (length >= 13)
		*to++ = (uint8_t)(length - 13);
	return (uint8_t *)memcpy(to, value, length) + length;
}

static size_t request(uint8_t *to, const dp_output *o, char **words)
{
	uint8_t head[] = {(uint8_t)(1 << 6 | !o->confirmable << 4 | 4), 2 /* POST */,
	                  (uint8_t)(o->message_id >> 8), (uint8_t)o->message_id};
	uint8_t *at = to + 8;
	unsigned last = 0;
	char query[16];

	memcpy(to, head, 4);
	memcpy(to + 4, o->token, 4);
	at = option(at, &last, 11, words[0], strlen(words[0])); /* Uri-Path: type */
	at = option(at, &last, 11, words[1], strlen(words[1])); /* Uri-Path: id */
	at = option(at, &last, 12, "\x32", 1);                  /* Content-Format: JSON */
	at = option(at, &last, 15, query, (size_t)sprintf(query, "s=%lx", (unsigned long)o->seq)); /* Uri-Query */
	if (o->no_response)
		at = option(at, &last, 258, "\x1a", 1);             /* No-Response: 26 */
	if (words[2][0] != '\0')
		*at++ = 0xff; /* nothing may follow the marker but a payload */
	return (size_t)((uint8_t *)memcpy(at, words[2], strlen(words[2])) + strlen(words[2]) - to);
}

/* Reads what extends a nibble of an option; false at anything malformed. */
static bool extend(unsigned *n, const uint8_t **b, const uint8_t *end)
{
	unsigned more = *n < 13 ? 0 : *n - 12;
	if (more > 2 || end - *b < (int)more)
		return false;
	if (more > 0)
		*n = more == 1 ? 13u + **b : 269u + ((unsigned)(*b)[0] << 8 | (*b)[1]);
	*b += more;
	return true;
}

/* Parses a message; false if it is malformed or has a critical option: none of ours has. It
 * keeps no Echo value, so has_echo stays false and 4.01 is a rejection like any other. */
static bool parse(dp_reply *r, const uint8_t *b, size_t length)
{
	const uint8_t *end = b + length;
	unsigned number = 0, delta, size;

	if (length < 4 || b[0] >> 6 != 1 || (b[0] & 15) > 8 || length < 4u + (b[0] & 15) || (b[1] == 0 && length > 4))
		return false;
	r->type = b[0] >> 4 & 3;
	r->token_len = b[0] & 15;
	r->code = b[1];
	r->message_id = (uint16_t)(b[2] << 8 | b[3]);
	memcpy(r->token, b + 4, r->token_len);
	for (b += 4 + r->token_len; b < end && *b != 0xff; b += size, number = delta) {
		delta = *b >> 4;
		size = *b++ & 15;
		if (!extend(&delta, &b, end) || !extend(&size, &b, end) || end - b < (int)size)
			return false;
		delta += number;
		if ((delta & 1) != 0)
			return false;
		r->has_max_age = r->has_max_age || (delta == 14 && size <= 4);
		for (unsigned i = 0; delta == 14 && size <= 4 && i < size; i++)
			r->max_age = r->max_age << 8 | b[i];
	}
	return b == end || end - b > 1;
}

/* Waits for a message; false if none came until then. */
static bool receive(int fd, uint32_t until, dp_reply *r)
{
	uint8_t datagram[1152];
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	struct pollfd p = {fd, POLLIN, 0};
	int32_t left = (int32_t)(until - milliseconds());
	if (poll(&p, 1, left > 0 ? left : 0) != 1)
		return false;
	ssize_t n = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &size);
	memset(r, 0, sizeof *r);
	while (r->from < DP_ADDRESSES && (from.sin_addr.s_addr != endpoint[r->from].sin_addr.s_addr || from.sin_port != endpoint[r->from].sin_port))
		r->from++;
	if (n < 0 || !parse(r, datagram, (size_t)n))
		r->from = DP_ADDRESSES; /* nobody: the policy ignores it */
	return true;
}

int main(int argc, char **argv)
{
	static const char *const outcomes[] = {"held", "delivered", "sent", "unverified", "rejected", "busy", "accepted"};
	dp_config config = {0};
	dp_policy policy;
	dp_reply reply;
	uint32_t entropy = 0;
	uint8_t datagram[1152];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	FILE *f = fopen("/dev/urandom", "rb");

	if (argc < 7 || argc > 10 || strlen(argv[2]) > 128 || strlen(argv[3]) > 128 || strlen(argv[4]) > 512 ||
	    fd < 0 || f == NULL || fread(&entropy, sizeof entropy, 1, f) != 1 || fclose(f) != 0)
		return fprintf(stderr, "usage: example FILE TYPE ID PAYLOAD PORT ADDRESS...\n"), 2;
	for (config.addresses = 0; config.addresses < argc - 6; config.addresses++) {
		endpoint[config.addresses].sin_family = AF_INET;
		endpoint[config.addresses].sin_port = htons((uint16_t)atoi(argv[5]));
		endpoint[config.addresses].sin_addr.s_addr = inet_addr(argv[6 + config.addresses]);
		if (endpoint[config.addresses].sin_addr.s_addr == INADDR_NONE)
			return fprintf(stderr, "%s is no IPv4 address\n", argv[6 + config.addresses]), 2;
	}
	if ((f = fopen(argv[1], "rb")) != NULL && (fread(&kept, sizeof kept, 1, f) != 1 || fclose(f) != 0))
		return perror(argv[1]), 1;
	if (!dp_restore(&policy, &config, kept.image))
		(void)dp_boot(&policy, &config, entropy, kept.reserved); /* a device would sleep now, as this says */

	dp_output out = dp_wake(&policy, (uint32_t)time(NULL), entropy, true, false);
	while (out.action != DP_SLEEP) {
		if (out.action == DP_SEND) {
			dp_retain(&policy, kept.image); /* before acting on it */
			(void)dp_reserve(&kept.reserved, out.seq);
			keep(argv[1]);
			printf("%s s=%lx to %d\n", out.confirmable ? "CON" : "NON", (unsigned long)out.seq, out.address);
			(void)sendto(fd, datagram, request(datagram, &out, argv + 2), 0, (struct sockaddr *)&endpoint[out.address], sizeof endpoint[0]);
			out = dp_tx_done(&policy, milliseconds());
		} else if (receive(fd, out.until, &reply)) {
			out = dp_rx(&policy, milliseconds(), &reply);
		} else {
			out = dp_timer(&policy, milliseconds());
		}
	}
	dp_retain(&policy, kept.image);
	keep(argv[1]);
	printf("%s, sleep %lu s\n", outcomes[out.outcome], (unsigned long)out.seconds);
	return 0;
}
