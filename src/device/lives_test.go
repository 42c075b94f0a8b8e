//go:build !race

package device

// lives is how many random scripts are played.
const lives = 100_000
