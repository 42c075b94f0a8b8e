/*
 * The delivery policy of a battery device that holds four fixed addresses: whom to send
 * to, how long to listen, when to send again, when to give up. C99, no heap, no I/O, no
 * clock, no floating point; nothing but memory that the caller owns. It is the twin of
 * the Go package in the folder above, function by function. docs/device.md explains the
 * rules, docs/firmware.md how to use this file.
 *
 * Feed it what happens (dp_wake, dp_tx_done, dp_rx, dp_timer) and do the one thing that
 * each call returns. Times in milliseconds are of any clock that runs while the device is
 * awake, times in seconds of any that runs while it sleeps too. Both may wrap around.
 * One thread at a time per policy.
 */
#ifndef DP_H
#define DP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	DP_ADDRESSES = 4,  /* how many addresses a device holds at most; neighbours are in different regions */
	DP_RETAINED = 56,  /* bytes of retained memory */
	DP_SEQ_BLOCK = 256 /* numbers to reserve in flash at a time */
};

/* Fixed when the firmware is built. A zero field is its default, and a value out of range
 * is brought into it. */
typedef struct {
	uint8_t addresses;   /* how many there are, 1 to DP_ADDRESSES; all by default */
	uint32_t window_min; /* ms, the listening window to begin with; 1000 by default and at least, 3000 suits NB-IoT */
	uint32_t window_max; /* ms, what it grows to; 32000 by default */
	uint32_t awake_max;  /* ms, what a check-in may take in all; 45000 by default */
	uint32_t hard_limit; /* s, how long an acknowledgement lets later reports go unverified; 0: all are verified */
	uint32_t interval;   /* s between check-ins; 3600 by default */
} dp_config;

typedef enum {
	DP_SEND,   /* send one datagram, then call dp_tx_done when it has left the radio */
	DP_LISTEN, /* receive and call dp_rx for what comes; call dp_timer at until */
	DP_SLEEP   /* the check-in is over: retain the state, sleep, call dp_wake */
} dp_action;

typedef enum {
	DP_HELD,       /* nothing was sent */
	DP_DELIVERED,  /* 2.xx: stored */
	DP_SENT,       /* a NON has left, unverified by design */
	DP_UNVERIFIED, /* the window ended in silence; the event is kept */
	DP_REJECTED,   /* 4.xx; the event is dropped */
	DP_BUSY,       /* 5.xx or 4.29; the event is kept */
	DP_ACCEPTED    /* an empty ACK and no response; the event is kept */
} dp_outcome;

/* What a modem may be told with a datagram (3GPP's Release Assistance Indication). */
typedef enum {
	DP_ONE_REPLY, /* one datagram is expected in return, then nothing */
	DP_NO_REPLY   /* nothing follows */
} dp_hint;

/* The one thing to do after an input. Only the fields of its action count. */
typedef struct {
	dp_action action;

	/* DP_SEND. In one check-in, what goes to the same address with the same Message ID is
	 * the same datagram, byte for byte. */
	uint8_t address;
	bool confirmable;
	bool no_response;    /* add No-Response (258) with 26: no class of response is wanted */
	bool echo;           /* add Echo (252) with the value that this address sent */
	uint16_t message_id;
	uint8_t token[4];
	uint32_t seq;        /* names the event: Uri-Query s=<lower-case hex> */
	dp_hint hint;

	uint32_t until;      /* DP_LISTEN, ms; it may be past, then dp_timer is due */

	uint32_t seconds;    /* DP_SLEEP */
	dp_outcome outcome;  /* DP_SLEEP */
} dp_output;

enum { DP_CON, DP_NON, DP_ACK, DP_RST };

/* A CoAP message that came from one of the addresses. The host has parsed it; a malformed
 * one is never shown to the policy. */
typedef struct {
	uint8_t from;        /* which of the addresses sent it */
	uint8_t type;        /* DP_CON to DP_RST */
	uint8_t code;        /* class * 32 + detail */
	uint16_t message_id;
	uint8_t token[8];
	uint8_t token_len;
	uint32_t max_age;    /* s */
	bool has_max_age;
	bool has_echo;
} dp_reply;

/* What is below is the policy's own; a host only makes room for it. */

typedef struct {
	uint32_t hold_until;
	uint8_t penalty, level, misses;
} dp_record;

typedef struct {
	bool pending, acknowledged;
	uint8_t rotation, held;
	uint16_t check_in, unproven;
	uint32_t seq, last_ack, hold_all, random;
	uint8_t silent, rejections, round_trip, skip;
	dp_record address[DP_ADDRESSES];
} dp_state;

typedef struct {
	uint8_t phase;
	bool urgent, confirmable, clocked, anew;
	uint32_t now, begin, elapsed;
	uint8_t token[4];
	uint32_t timeout, last_sent, window, deadline;
	uint8_t address, next, sends;
	uint8_t tried, left, timed, answered, accepted, echoed, missed;
	uint8_t order[DP_ADDRESSES];
	uint16_t message_id[DP_ADDRESSES];
	uint32_t first_sent[DP_ADDRESSES];
} dp_check_in;

typedef struct {
	dp_config config;
	dp_state state;
	dp_check_in check_in;
	uint32_t last_seconds;
	dp_outcome last_outcome;
} dp_policy;

/* A cold boot: nothing was retained. The first event gets the number seq, which must be
 * greater than any that was used (see dp_reserve). Returns DP_SLEEP: a fleet whose power
 * returns must not speak at once. */
dp_output dp_boot(dp_policy *p, const dp_config *config, uint32_t entropy, uint32_t seq);

/* Wakes a device from what dp_retain wrote. Returns false for memory that is torn or
 * foreign: then dp_boot is due. */
bool dp_restore(dp_policy *p, const dp_config *config, const uint8_t image[DP_RETAINED]);

/* What must survive sleep. A host that may be reset while it is awake keeps it after every
 * output, before acting on that. */
void dp_retain(const dp_policy *p, uint8_t image[DP_RETAINED]);

/* Lets the next event have the number seq and forgets a pending one, as after a loss of
 * power that the state survived and the event did not. */
void dp_renumber(dp_policy *p, uint32_t seq);

/* Begins a check-in at now, in seconds. entropy is any 32 bits that are hard to guess.
 * new_event: there is something new to say, and what was pending is replaced by it.
 * urgent: what there is to say is said now, whatever was held or is to be skipped. */
dp_output dp_wake(dp_policy *p, uint32_t now, uint32_t entropy, bool new_event, bool urgent);

/* The datagram has left the radio, at now in milliseconds. */
dp_output dp_tx_done(dp_policy *p, uint32_t now);

/* A message came from one of the addresses, at now in milliseconds. */
dp_output dp_rx(dp_policy *p, uint32_t now, const dp_reply *r);

/* Whether dp_rx would take this reply: whether it answers what was sent. A host needs it to
 * acknowledge a CON, and to keep the Echo value of the right reply. */
bool dp_fits(const dp_policy *p, const dp_reply *r);

/* It is until, at now in milliseconds; or, while a datagram is still in the radio, it never
 * left. */
dp_output dp_timer(dp_policy *p, uint32_t now);

/* What flash must hold before the event numbered seq is sent. *reserved is what it holds:
 * the number that a cold boot would begin with. If true is returned, write the new
 * *reserved first. */
bool dp_reserve(uint32_t *reserved, uint32_t seq);

#ifdef __cplusplus
}
#endif

#endif
