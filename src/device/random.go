package device

// mix spreads every bit of x over all bits; it is a bijection.
func mix(x uint32) uint32 {
	x ^= x >> 16
	x *= 0x7feb352d
	x ^= x >> 15
	x *= 0x846ca68b
	return x ^ x>>16
}

// stir adds the host's entropy. Tokens are as hard to guess as that is.
func (s *State) stir(entropy uint32) { s.Random = mix(s.Random ^ entropy) }

func (s *State) draw() uint32 {
	s.Random += 0x9e3779b9
	return mix(s.Random)
}

// below draws a number from 0 to n-1.
func (s *State) below(n uint32) uint32 {
	return uint32(uint64(s.draw()) * uint64(n) >> 32)
}
