package local

import (
	"encoding/base64"
	"slices"
)

// pageAfter returns the first n of names, which are sorted, after the name that the token
// stands for, and the token of the rest: empty if that was all. A token is the last name
// given, so a page does not skip or repeat what is added or deleted meanwhile.
func pageAfter(names []string, n int, token string) (page []string, next string, ok bool) {
	from := 0
	if token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", false
		}
		at, found := slices.BinarySearch(names, string(last))
		if from = at; found {
			from++
		}
	}
	page = names[from:]
	if len(page) > n {
		page = page[:n]
		next = base64.RawURLEncoding.EncodeToString([]byte(page[n-1]))
	}
	return page, next, true
}
