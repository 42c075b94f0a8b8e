//go:build race

package world

// twoDays says whether outages of days are lived through: not here, since the race detector
// finds no more in two days than in six hours, and takes minutes for them.
const twoDays = false
