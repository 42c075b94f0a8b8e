#include "dp.h"

#include <string.h>

#define N DP_ADDRESSES

/* Transmission, by RFC 7252, section 4.8, in ms. */
#define ACK_TIMEOUT 2000u
#define ACK_SPREAD 1000u /* ACK_TIMEOUT * (ACK_RANDOM_FACTOR - 1) */
#define MAX_TRANSMISSIONS 5u
#define MIN_LISTEN 1000u /* no transmission unless this much of the window remains when it falls due */

/* The listening window, in ms. */
#define SERVER_TIME 750u   /* an ingestor answers within 700 ms, if only with 5.03 */
#define MAX_DOUBLINGS 5u
#define FULL_EVERY 4u
#define ROUND_TRIP_UNIT 64u

/* Holds and spreads, in s. */
#define DEFAULT_HOLD 60u
#define MAX_HOLD 86400u
#define BOOT_SPREAD 600u

/* Blame, in check-ins. */
#define RADIO_SILENCE 3u
#define MAX_LEVEL 5u
#define MAX_MISSES 3u
#define MAX_PENALTY (N << (MAX_LEVEL - 1))
#define MAX_SKIP 63u

#define EVERYONE N /* in a set of holds, the hold on all addresses */

enum { IDLE, SENDING, LISTENING };

#define CODE_EMPTY 0u
#define CODE_UNAUTHORIZED (4u << 5 | 1u)
#define CODE_TOO_MANY_REQUESTS (4u << 5 | 29u)
#define CODE_UNAVAILABLE (5u << 5 | 3u)

static bool before(uint32_t a, uint32_t b) { return (a - b) >> 31 != 0; }

static uint8_t bit(uint8_t address) { return (uint8_t)(1u << address); }

static uint32_t min32(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t max32(uint32_t a, uint32_t b) { return a > b ? a : b; }

static uint32_t within(uint32_t n, uint32_t standard, uint32_t low, uint32_t high)
{
	return min32(max32(n == 0 ? standard : n, low), high);
}

static dp_config normal(const dp_config *given)
{
	dp_config c = *given;

	if (c.addresses == 0 || c.addresses > N)
		c.addresses = N;
	c.window_min = within(c.window_min, 1000, MIN_LISTEN, 44999);
	c.window_max = within(c.window_max, 32000, c.window_min, 44999);
	c.awake_max = within(c.awake_max, 45000, c.window_max, 93000);
	c.interval = within(c.interval, 3600, 1, 366u * 86400u);
	return c;
}

/* Random numbers. */

static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352du;
	x ^= x >> 15;
	x *= 0x846ca68bu;
	return x ^ x >> 16;
}

static void stir(dp_state *s, uint32_t entropy) { s->random = mix(s->random ^ entropy); }

static uint32_t draw(dp_state *s)
{
	s->random += 0x9e3779b9u;
	return mix(s->random);
}

static uint32_t below(dp_state *s, uint32_t n) { return (uint32_t)((uint64_t)draw(s) * n >> 32); }

/* Retained memory, little-endian. */

static void put16(uint8_t *b, uint32_t n)
{
	b[0] = (uint8_t)n;
	b[1] = (uint8_t)(n >> 8);
}

static void put32(uint8_t *b, uint32_t n)
{
	put16(b, n);
	put16(b + 2, n >> 16);
}

static uint16_t get16(const uint8_t *b) { return (uint16_t)(b[0] | b[1] << 8); }

static uint32_t get32(const uint8_t *b) { return get16(b) | (uint32_t)get16(b + 2) << 16; }

static uint32_t checksum(const uint8_t *b, uint32_t length)
{
	uint32_t crc = 0xffffffffu;

	while (length-- > 0) {
		crc ^= *b++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
	}
	return ~crc;
}

void dp_retain(const dp_policy *p, uint8_t image[DP_RETAINED])
{
	const dp_state *s = &p->state;

	image[0] = 'D';
	image[1] = 1;
	image[2] = (uint8_t)(s->rotation << 2 | s->acknowledged << 1 | s->pending);
	image[3] = s->held;
	put16(image + 4, s->check_in);
	put16(image + 6, s->unproven);
	put32(image + 8, s->seq);
	put32(image + 12, s->last_ack);
	put32(image + 16, s->hold_all);
	put32(image + 20, s->random);
	image[24] = s->silent;
	image[25] = s->rejections;
	image[26] = s->round_trip;
	image[27] = s->skip;
	for (int a = 0; a < N; a++) {
		const dp_record *r = &s->address[a];
		uint8_t *at = image + 28 + 6 * a;

		put32(at, r->hold_until);
		at[4] = r->penalty;
		at[5] = (uint8_t)(r->level << 4 | r->misses);
	}
	put32(image + DP_RETAINED - 4, checksum(image, DP_RETAINED - 4));
}

static bool unmarshal(dp_state *s, const uint8_t image[DP_RETAINED])
{
	bool ok;

	if (image[0] != 'D' || image[1] != 1 ||
	    get32(image + DP_RETAINED - 4) != checksum(image, DP_RETAINED - 4))
		return false;
	s->pending = (image[2] & 1) != 0;
	s->acknowledged = (image[2] & 2) != 0;
	s->rotation = image[2] >> 2;
	s->held = image[3];
	s->check_in = get16(image + 4);
	s->unproven = get16(image + 6);
	s->seq = get32(image + 8);
	s->last_ack = get32(image + 12);
	s->hold_all = get32(image + 16);
	s->random = get32(image + 20);
	s->silent = image[24];
	s->rejections = image[25];
	s->round_trip = image[26];
	s->skip = image[27];
	ok = s->rotation < N && s->held < 1u << (EVERYONE + 1) && s->skip <= MAX_SKIP;
	for (int a = 0; a < N; a++) {
		const uint8_t *at = image + 28 + 6 * a;
		dp_record *r = &s->address[a];

		r->hold_until = get32(at);
		r->penalty = at[4];
		r->level = at[5] >> 4;
		r->misses = at[5] & 15;
		ok = ok && r->penalty <= MAX_PENALTY && r->level <= MAX_LEVEL && r->misses <= MAX_MISSES;
	}
	return ok;
}

/* R1: how long to listen. */

static uint32_t round_trip(const dp_state *s) { return s->round_trip * ROUND_TRIP_UNIT; }

/* The least window that always has room for one failover and its answer. */
static uint32_t probe(const dp_state *s)
{
	uint32_t trip = round_trip(s);

	return max32(ACK_TIMEOUT + ACK_SPREAD, trip + trip / 2) + max32(MIN_LISTEN, trip + trip / 4);
}

static uint32_t window_for(const dp_policy *p, uint8_t address)
{
	const dp_state *s = &p->state;
	uint32_t base = max32(p->config.window_min, max32(2 * round_trip(s), round_trip(s) + SERVER_TIME));
	uint32_t w = base << min32(s->silent, MAX_DOUBLINGS);

	if (s->silent > MAX_DOUBLINGS && (s->silent - MAX_DOUBLINGS) % FULL_EVERY != 0)
		w = max32(base, probe(s));
	if (s->address[address].level > 0) /* on parole: silence is likely */
		w = max32(w, probe(s));
	return min32(w, p->config.window_max);
}

static void fell_silent(dp_state *s)
{
	s->silent++;
	if (s->silent == 0)
		s->silent = 256 - FULL_EVERY;
}

static void sample(dp_state *s, uint32_t ms)
{
	uint8_t n = (uint8_t)min32(max32((ms + ROUND_TRIP_UNIT - 1) / ROUND_TRIP_UNIT, 1), 255);

	if (n >= s->round_trip)
		s->round_trip = n;
	else
		s->round_trip = (uint8_t)(s->round_trip - (s->round_trip - n + 3) / 4);
}

/* R3: whom to send to. The candidates, best first. */

enum { FRESH, PENALISED, HELD, SILENT, NONE };

static uint8_t after(const dp_policy *p, uint8_t address)
{
	return (uint8_t)((address + 1) % p->config.addresses);
}

static int candidate(const dp_policy *p, uint8_t a)
{
	const dp_check_in *c = &p->check_in;
	bool held = (p->state.held & bit(a)) != 0;

	if ((c->answered & bit(a)) != 0 || (held && !c->urgent))
		return NONE;
	if ((c->tried & bit(a)) != 0)
		return SILENT;
	if (held)
		return HELD;
	return p->state.address[a].penalty > 0 ? PENALISED : FRESH;
}

static bool choose(const dp_policy *p, bool again, uint8_t *address)
{
	int best = NONE;

	*address = 0;
	for (uint8_t i = 0; i < p->config.addresses; i++) {
		uint8_t a = (uint8_t)((p->check_in.next + i) % p->config.addresses);
		int kind = candidate(p, a);

		if (kind < best) {
			best = kind;
			*address = a;
		}
	}
	return best < SILENT || (best == SILENT && again);
}

/* Holds. */

static uint32_t hold_time(const dp_reply *r)
{
	return r->has_max_age ? min32(r->max_age, MAX_HOLD) : DEFAULT_HOLD;
}

static uint32_t seconds_now(const dp_check_in *c) { return c->now + c->elapsed; }

static void hold(dp_policy *p, uint8_t whom, uint32_t seconds)
{
	uint32_t until = seconds_now(&p->check_in) + seconds;

	if (seconds == 0)
		return;
	p->state.held |= bit(whom);
	if (whom == EVERYONE)
		p->state.hold_all = until;
	else
		p->state.address[whom].hold_until = until;
}

static uint32_t held_until(const dp_state *s, uint8_t whom)
{
	return whom == EVERYONE ? s->hold_all : s->address[whom].hold_until;
}

static uint32_t remaining(uint32_t now, uint32_t until) { return until - now > MAX_HOLD ? 0 : until - now; }

static void expire(dp_state *s, uint32_t now)
{
	for (uint8_t whom = 0; whom <= EVERYONE; whom++)
		if (remaining(now, held_until(s, whom)) == 0)
			s->held &= (uint8_t)~bit(whom);
}

static bool soonest(const dp_policy *p, uint32_t now, uint32_t *seconds)
{
	*seconds = MAX_HOLD;
	for (uint8_t a = 0; a < p->config.addresses; a++) {
		if ((p->state.held & bit(a)) == 0)
			return false;
		*seconds = min32(*seconds, remaining(now, held_until(&p->state, a)));
	}
	return true;
}

/* R15: how long to sleep. */

static dp_output asleep(const dp_policy *p)
{
	dp_output out = {0};

	out.action = DP_SLEEP;
	out.seconds = p->last_seconds;
	out.outcome = p->last_outcome;
	return out;
}

static dp_output finish(dp_policy *p, dp_outcome outcome)
{
	dp_state *s = &p->state;
	uint32_t now = seconds_now(&p->check_in);
	uint32_t eighth = p->config.interval / 8;
	uint32_t seconds = p->config.interval - eighth + below(s, 2 * eighth + 1);
	uint32_t wait;

	if ((s->held & bit(EVERYONE)) != 0)
		seconds = max32(seconds, remaining(now, s->hold_all));
	if (soonest(p, now, &wait))
		seconds = max32(seconds, wait + below(s, wait / 4 + 1));
	p->check_in.phase = IDLE;
	p->last_seconds = seconds;
	p->last_outcome = outcome;
	return asleep(p);
}

/* R6: differential blame. */

static uint8_t silent_ones(const dp_check_in *c) { return c->left & (uint8_t)~(c->answered | c->accepted); }

static void blame(dp_policy *p, uint8_t address, uint32_t misses)
{
	dp_record *r = &p->state.address[address];

	r->misses = (uint8_t)min32(r->misses + misses, MAX_MISSES);
}

static void miss(dp_policy *p, uint8_t address)
{
	dp_check_in *c = &p->check_in;

	if ((c->missed & bit(address)) != 0)
		return;
	c->missed |= bit(address);
	blame(p, address, 1);
}

static void judge(dp_policy *p, uint8_t address)
{
	dp_record *r = &p->state.address[address];

	if (r->misses >= 2 || (r->misses == 1 && r->level > 0)) {
		r->level = (uint8_t)min32(r->level + 1u, MAX_LEVEL);
		r->penalty = (uint8_t)(p->config.addresses << (r->level - 1));
		r->misses = 0;
	}
}

static void heard(dp_policy *p, uint8_t from)
{
	dp_check_in *c = &p->check_in;

	for (uint8_t a = 0; a < N; a++) {
		if (a == from)
			continue;
		if ((silent_ones(c) & bit(a)) != 0 && c->order[a] < c->order[from])
			miss(p, a);
		judge(p, a);
	}
}

static dp_output silence(dp_policy *p)
{
	dp_state *s = &p->state;
	dp_check_in *c = &p->check_in;
	bool somebody = (c->answered | c->accepted) != 0;

	for (uint8_t a = 0; a < N; a++) {
		if ((silent_ones(c) & bit(a)) == 0)
			continue;
		miss(p, a);
		if (somebody)
			judge(p, a);
	}
	if (!somebody) {
		fell_silent(s);
		for (int a = 0; a < N && s->silent >= RADIO_SILENCE; a++)
			s->address[a].misses = 0;
	}
	return finish(p, c->accepted != 0 ? DP_ACCEPTED : DP_UNVERIFIED);
}

/* R2: when to send again. */

static uint32_t first_timeout(dp_policy *p)
{
	uint32_t drawn = ACK_TIMEOUT + below(&p->state, ACK_SPREAD + 1);
	uint32_t trip = round_trip(&p->state);

	return trip == 0 ? ACK_TIMEOUT + ACK_SPREAD : max32(drawn, trip + trip / 2);
}

static uint32_t limit(const dp_policy *p) { return p->check_in.begin + p->config.awake_max; }

static bool next_send(const dp_policy *p, uint32_t now, uint32_t *at)
{
	const dp_check_in *c = &p->check_in;
	uint8_t address;

	*at = c->last_sent + c->timeout;
	if (c->accepted != 0 || c->sends == MAX_TRANSMISSIONS || before(c->deadline, *at + MIN_LISTEN))
		return false;
	if (before(*at, now)) { /* the timer is late: when it was due decides, while there is time */
		*at = now;
		if (!before(now, c->deadline) || before(limit(p), now + MIN_LISTEN))
			return false;
	}
	return choose(p, true, &address);
}

static bool may_send(const dp_policy *p, uint32_t now)
{
	const dp_check_in *c = &p->check_in;

	return c->phase == LISTENING && c->accepted == 0 && c->sends < MAX_TRANSMISSIONS &&
	       !before(limit(p), now + MIN_LISTEN);
}

static dp_output send_to(dp_policy *p, uint8_t address)
{
	dp_state *s = &p->state;
	dp_check_in *c = &p->check_in;
	dp_output out = {0};

	if ((c->tried & bit(address)) == 0) {
		c->tried |= bit(address);
		c->order[address] = c->sends;
		c->message_id[address] = (uint16_t)(s->check_in * N + address);
	}
	c->phase = SENDING;
	c->address = address;
	c->next = after(p, address);
	c->sends++;
	out.action = DP_SEND;
	out.address = address;
	out.confirmable = c->confirmable;
	out.no_response = !c->confirmable;
	out.echo = (c->echoed & bit(address)) != 0;
	out.message_id = c->message_id[address];
	memcpy(out.token, c->token, sizeof out.token);
	out.seq = s->seq;
	out.hint = c->confirmable ? DP_ONE_REPLY : DP_NO_REPLY;
	return out;
}

static dp_output send_anew(dp_policy *p, uint8_t address)
{
	p->check_in.anew = true;
	p->check_in.window = window_for(p, address);
	return send_to(p, address);
}

static void has_left(dp_policy *p, uint32_t now)
{
	dp_check_in *c = &p->check_in;

	c->phase = LISTENING;
	c->left |= bit(c->address);
	c->last_sent = now;
	if (c->anew) {
		c->anew = false;
		c->deadline = now + c->window;
	} else if (before(c->deadline, now + MIN_LISTEN)) {
		c->deadline = now + MIN_LISTEN;
	}
	if (before(limit(p), c->deadline))
		c->deadline = limit(p);
}

static dp_output listen_until(uint32_t until)
{
	dp_output out = {0};

	out.action = DP_LISTEN;
	out.until = until;
	return out;
}

static dp_output listen(const dp_policy *p, uint32_t now)
{
	uint32_t at;

	return listen_until(next_send(p, now, &at) ? at : p->check_in.deadline);
}

/* The clock of a check-in. */

static void clock_in(dp_check_in *c, uint32_t now)
{
	if (!c->clocked) {
		c->clocked = true;
		c->begin = now;
	}
	if (before(c->begin, now))
		c->elapsed = (now - c->begin) / 1000;
}

static dp_output go_on(dp_policy *p, uint32_t now)
{
	if (p->check_in.phase == IDLE)
		return asleep(p);
	if (p->check_in.phase == LISTENING)
		return listen(p, now);
	clock_in(&p->check_in, now);
	return listen_until(limit(p));
}

/* The inputs. */

dp_output dp_boot(dp_policy *p, const dp_config *config, uint32_t entropy, uint32_t seq)
{
	dp_state *s = &p->state;

	memset(p, 0, sizeof *p);
	p->config = normal(config);
	stir(s, entropy);
	s->check_in = (uint16_t)draw(s);
	s->seq = seq - 1;
	p->last_outcome = DP_HELD;
	p->last_seconds = below(s, min32(p->config.interval, BOOT_SPREAD) + 1);
	return asleep(p);
}

bool dp_restore(dp_policy *p, const dp_config *config, const uint8_t image[DP_RETAINED])
{
	bool ok;

	memset(p, 0, sizeof *p);
	p->config = normal(config);
	p->last_outcome = DP_HELD;
	p->last_seconds = p->config.interval;
	ok = unmarshal(&p->state, image);
	if (!ok)
		memset(&p->state, 0, sizeof p->state);
	return ok;
}

void dp_renumber(dp_policy *p, uint32_t seq)
{
	p->state.seq = seq - 1;
	p->state.pending = false;
}

bool dp_reserve(uint32_t *reserved, uint32_t seq)
{
	if (before(seq, *reserved))
		return false;
	*reserved = seq + DP_SEQ_BLOCK;
	return true;
}

static bool confirm(const dp_policy *p)
{
	const dp_state *s = &p->state;

	return p->check_in.urgent || p->config.hard_limit == 0 || !s->acknowledged ||
	       p->check_in.now - s->last_ack >= p->config.hard_limit;
}

dp_output dp_wake(dp_policy *p, uint32_t now, uint32_t entropy, bool new_event, bool urgent)
{
	dp_state *s = &p->state;
	dp_check_in *c = &p->check_in;
	uint8_t address;

	memset(c, 0, sizeof *c);
	c->now = now;
	c->urgent = urgent;
	stir(s, entropy);
	expire(s, now);
	if (new_event) {
		s->pending = true;
		s->seq++;
		if (s->unproven < 0xffff)
			s->unproven++;
	}
	if (!s->pending)
		return finish(p, DP_HELD);
	if (!urgent && (s->held & bit(EVERYONE)) != 0)
		return finish(p, DP_HELD);
	if (!urgent && s->skip > 0) {
		s->skip--;
		return finish(p, DP_HELD);
	}
	c->next = s->rotation;
	if (!choose(p, false, &address))
		return finish(p, DP_BUSY);
	s->rotation = after(p, address);
	for (int a = 0; a < N; a++)
		if (s->address[a].penalty > 0)
			s->address[a].penalty--;
	s->check_in++;
	put32(c->token, draw(s));
	c->timeout = first_timeout(p);
	c->confirmable = confirm(p);
	return send_anew(p, address);
}

dp_output dp_tx_done(dp_policy *p, uint32_t now)
{
	dp_check_in *c = &p->check_in;

	if (c->phase != SENDING)
		return go_on(p, now);
	clock_in(c, now);
	if (!c->confirmable) { /* R13: a NON is not listened for */
		p->state.pending = false;
		return finish(p, DP_SENT);
	}
	if ((c->timed & bit(c->address)) == 0) {
		c->timed |= bit(c->address);
		c->first_sent[c->address] = now;
	}
	has_left(p, now);
	return listen(p, now);
}

dp_output dp_timer(dp_policy *p, uint32_t now)
{
	dp_check_in *c = &p->check_in;
	uint32_t at;

	if (c->phase == IDLE)
		return go_on(p, now);
	clock_in(c, now);
	if (c->phase == SENDING)
		return c->left == 0 ? finish(p, DP_HELD) : silence(p);
	if (next_send(p, now, &at) && at == now) {
		uint8_t address;

		(void)choose(p, true, &address);
		c->timeout *= 2;
		return send_to(p, address);
	}
	return before(now, c->deadline) ? listen(p, now) : silence(p);
}

/* R4: whether a reply answers a transmission of this check-in. */
static bool fits(const dp_check_in *c, const dp_reply *r)
{
	bool answered;

	if (c->phase == IDLE || !c->confirmable || r->from >= N || (c->tried & bit(r->from)) == 0)
		return false;
	if (r->type > DP_RST || (r->type >= DP_ACK && r->message_id != c->message_id[r->from]))
		return false;
	answered = (c->answered & bit(r->from)) != 0;
	if (r->code == CODE_EMPTY)
		return r->type >= DP_ACK && r->token_len == 0 && !answered;
	if (r->type == DP_RST || r->token_len != sizeof c->token ||
	    memcmp(r->token, c->token, sizeof c->token) != 0)
		return false;
	switch (r->code >> 5) {
	case 2:
		return true;
	case 4:
	case 5:
		return !answered;
	default:
		return false;
	}
}

bool dp_fits(const dp_policy *p, const dp_reply *r) { return fits(&p->check_in, r); }

/* R5: 2.xx means stored. */
static dp_output proof(dp_policy *p, uint32_t now, uint8_t from)
{
	dp_state *s = &p->state;
	dp_check_in *c = &p->check_in;

	s->pending = false;
	s->silent = 0;
	s->rejections = 0;
	s->skip = 0;
	s->unproven = 0;
	s->acknowledged = true;
	s->last_ack = c->now;
	memset(&s->address[from], 0, sizeof s->address[from]);
	s->held &= (uint8_t)~bit(from);
	if ((c->timed & bit(from)) != 0)
		sample(s, now - c->first_sent[from]);
	return finish(p, DP_DELIVERED);
}

/* R10: what was refused is not said again. */
static dp_output reject(dp_policy *p)
{
	dp_state *s = &p->state;

	s->pending = false;
	s->skip = (uint8_t)((1u << min32(s->rejections, 6)) - 1);
	if (s->rejections < 255)
		s->rejections++;
	return finish(p, DP_REJECTED);
}

/* R7, R11: this address has said no, so on to another one at once. */
static dp_output next(dp_policy *p, uint32_t now)
{
	dp_check_in *c = &p->check_in;
	uint8_t address;

	if (c->phase == SENDING) { /* the next one is on its way already */
		c->anew = true;
		c->window = window_for(p, c->address);
		return go_on(p, now);
	}
	if (choose(p, false, &address) && may_send(p, now))
		return send_anew(p, address);
	if (silent_ones(c) != 0 || c->accepted != 0)
		return go_on(p, now);
	return finish(p, DP_BUSY);
}

/* R9: once more, as a new message, with the Echo value of that address. */
static dp_output echo(dp_policy *p, uint32_t now, uint8_t from)
{
	dp_check_in *c = &p->check_in;

	if (!may_send(p, now))
		return next(p, now);
	c->echoed |= bit(from);
	c->answered &= (uint8_t)~bit(from);
	c->timed &= (uint8_t)~bit(from);
	p->state.check_in++;
	c->message_id[from] = (uint16_t)(p->state.check_in * N + from);
	return send_anew(p, from);
}

dp_output dp_rx(dp_policy *p, uint32_t now, const dp_reply *r)
{
	dp_check_in *c = &p->check_in;

	if (!fits(c, r))
		return go_on(p, now);
	clock_in(c, now);
	if (c->phase == SENDING && r->from == c->address)
		has_left(p, now); /* it must have: here is the answer */
	heard(p, r->from);
	if (r->type == DP_ACK && r->code == CODE_EMPTY) { /* R12 */
		c->accepted |= bit(r->from);
		return go_on(p, now);
	}
	c->answered |= bit(r->from);
	c->accepted &= (uint8_t)~bit(r->from);
	if (r->type == DP_RST) {
		blame(p, r->from, 2);
		hold(p, r->from, DEFAULT_HOLD);
		return next(p, now);
	}
	if (r->code >> 5 == 2)
		return proof(p, now, r->from);
	if (r->code == CODE_TOO_MANY_REQUESTS) {
		hold(p, EVERYONE, hold_time(r));
		return finish(p, DP_BUSY);
	}
	if (r->code == CODE_UNAUTHORIZED && r->has_echo && (c->echoed & bit(r->from)) == 0)
		return echo(p, now, r->from);
	if (r->code >> 5 == 4)
		return reject(p);
	if (r->code == CODE_UNAVAILABLE) {
		hold(p, r->from, hold_time(r));
	} else {
		blame(p, r->from, 1);
		hold(p, r->from, DEFAULT_HOLD);
	}
	return next(p, now);
}
