/*
 * Runs the policy by lines from standard input and prints each output, so that a test can
 * compare it with its twin:
 *
 *   B addresses window_min window_max awake_max hard_limit interval entropy seq   dp_boot
 *   I the same six, image in hex                                                  dp_restore
 *   N seq                                                                         dp_renumber
 *   W now entropy new_event urgent                                                dp_wake
 *   T now                                                                         dp_tx_done
 *   X now from type code message_id token token_len max_age has_max_age has_echo  dp_rx
 *   M now                                                                         dp_timer
 *   F                                                                             flush, print "flushed"
 */
#include "dp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *cursor;

static uint32_t number(void)
{
	char *end;
	unsigned long n = strtoul(cursor, &end, 10);

	cursor = end;
	return (uint32_t)n;
}

static void hex(uint8_t *to, int length)
{
	while (*cursor == ' ')
		cursor++;
	for (int i = 0; i < length; i++) {
		unsigned byte = 0;

		if (sscanf(cursor, "%2x", &byte) != 1)
			exit(1);
		to[i] = (uint8_t)byte;
		cursor += 2;
	}
}

static dp_config config(void)
{
	dp_config c;

	c.addresses = (uint8_t)number();
	c.window_min = number();
	c.window_max = number();
	c.awake_max = number();
	c.hard_limit = number();
	c.interval = number();
	return c;
}

static dp_output asleep(const dp_policy *p)
{
	dp_output out = {0};

	out.action = DP_SLEEP;
	out.seconds = p->last_seconds;
	out.outcome = p->last_outcome;
	return out;
}

static void print(const dp_policy *p, const dp_output *o, bool fitted)
{
	uint8_t image[DP_RETAINED];

	dp_retain(p, image);
	switch (o->action) {
	case DP_SEND:
		printf("send %d %d %d %d %d %02x%02x%02x%02x %" PRIu32 " %d", o->address, o->confirmable,
		       o->no_response, o->echo, o->message_id, o->token[0], o->token[1], o->token[2],
		       o->token[3], o->seq, o->hint);
		break;
	case DP_LISTEN:
		printf("listen %" PRIu32, o->until);
		break;
	case DP_SLEEP:
		printf("sleep %" PRIu32 " %d", o->seconds, o->outcome);
		break;
	}
	printf(" %" PRIu32 " %d %02x%02x%02x%02x\n", p->check_in.window, fitted, image[DP_RETAINED - 4], image[DP_RETAINED - 3],
	       image[DP_RETAINED - 2], image[DP_RETAINED - 1]);
}

int main(void)
{
	static char line[512];
	static dp_policy p;
	dp_config c;
	dp_output out = {0};
	bool fitted;

	while (fgets(line, sizeof line, stdin) != NULL) {
		cursor = line + 1;
		fitted = false;
		switch (line[0]) {
		case 'B': {
			uint32_t entropy;

			c = config();
			entropy = number();
			out = dp_boot(&p, &c, entropy, number());
			break;
		}
		case 'I': {
			uint8_t image[DP_RETAINED];

			c = config();
			hex(image, DP_RETAINED);
			(void)dp_restore(&p, &c, image);
			out = asleep(&p);
			break;
		}
		case 'N':
			dp_renumber(&p, number());
			out = asleep(&p);
			break;
		case 'W': {
			uint32_t now = number(), entropy = number();
			bool new_event = number() != 0;

			out = dp_wake(&p, now, entropy, new_event, number() != 0);
			break;
		}
		case 'T':
			out = dp_tx_done(&p, number());
			break;
		case 'X': {
			uint32_t now = number();
			dp_reply r;

			r.from = (uint8_t)number();
			r.type = (uint8_t)number();
			r.code = (uint8_t)number();
			r.message_id = (uint16_t)number();
			hex(r.token, 8);
			r.token_len = (uint8_t)number();
			r.max_age = number();
			r.has_max_age = number() != 0;
			r.has_echo = number() != 0;
			fitted = dp_fits(&p, &r);
			out = dp_rx(&p, now, &r);
			break;
		}
		case 'M':
			out = dp_timer(&p, number());
			break;
		case 'F':
			puts("flushed");
			fflush(stdout);
			continue;
		default:
			return 1;
		}
		print(&p, &out, fitted);
	}
	return 0;
}
