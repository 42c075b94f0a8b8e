package device

// Size is how many bytes of retained memory a state takes: 14 words.
const Size = 56

const (
	magic   = 'D'
	version = 1
)

// Marshal writes the state with its version and a checksum, little-endian.
func (s *State) Marshal() (image [Size]byte) {
	image[0], image[1] = magic, version
	image[2] = s.Rotation<<2 | flag(s.Acknowledged)<<1 | flag(s.Pending)
	image[3] = s.Held
	put16(image[4:], s.CheckIn)
	put16(image[6:], s.Unproven)
	put32(image[8:], s.Seq)
	put32(image[12:], s.LastAck)
	put32(image[16:], s.HoldAll)
	put32(image[20:], s.Random)
	image[24], image[25], image[26], image[27] = s.Silent, s.Rejections, s.RoundTrip, s.Skip
	for a, r := range s.Address {
		at := image[28+6*a:]
		put32(at, r.HoldUntil)
		at[4], at[5] = r.Penalty, r.Level<<4|r.Misses
	}
	put32(image[Size-4:], checksum(image[:Size-4]))
	return image
}

// Unmarshal reads what Marshal wrote. It reports false, and leaves the state alone, for
// anything else: memory that was never written, torn, or written by another version.
func (s *State) Unmarshal(image *[Size]byte) bool {
	if image[0] != magic || image[1] != version || get32(image[Size-4:]) != checksum(image[:Size-4]) {
		return false
	}
	read := State{
		Pending:      image[2]&1 != 0,
		Acknowledged: image[2]&2 != 0,
		Rotation:     image[2] >> 2,
		Held:         image[3],
		CheckIn:      get16(image[4:]),
		Unproven:     get16(image[6:]),
		Seq:          get32(image[8:]),
		LastAck:      get32(image[12:]),
		HoldAll:      get32(image[16:]),
		Random:       get32(image[20:]),
		Silent:       image[24],
		Rejections:   image[25],
		RoundTrip:    image[26],
		Skip:         image[27],
	}
	ok := read.Rotation < N && read.Held < 1<<(everyone+1) && read.Skip <= maxSkip
	for a := range read.Address {
		at := image[28+6*a:]
		r := Record{HoldUntil: get32(at), Penalty: at[4], Level: at[5] >> 4, Misses: at[5] & 15}
		ok = ok && r.Penalty <= maxPenalty && r.Level <= maxLevel && r.Misses <= maxMisses
		read.Address[a] = r
	}
	if ok {
		*s = read
	}
	return ok
}

// checksum is CRC-32 (IEEE 802.3), a bit at a time: a table would be longer than all else.
func checksum(b []byte) uint32 {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			crc = crc>>1 ^ 0xedb88320&-(crc&1)
		}
	}
	return ^crc
}

func flag(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

func put16(b []byte, n uint16) { b[0], b[1] = byte(n), byte(n>>8) }

func put32(b []byte, n uint32) {
	b[0], b[1], b[2], b[3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
}

func get16(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 }

func get32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
