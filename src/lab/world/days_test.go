//go:build !race

package world

// twoDays says whether outages of days are lived through.
const twoDays = true
