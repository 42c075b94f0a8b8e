//go:build race

package device

// lives is how many random scripts are played: few, since the race detector has nothing to
// find in code without goroutines.
const lives = 5_000
