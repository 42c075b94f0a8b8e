package queue

import "regexp"

var (
	regionInHost = regexp.MustCompile(`^https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/`)
	regionInPath = regexp.MustCompile(`^https?://[^/]+/([a-z0-9-]+)/[0-9]{12}/[^/]+$`)
)

// RegionOf returns the region of the queue at url, or "" if url does not tell: it does in
// the host of AWS's own (https://sqs.REGION.amazonaws.com/ACCOUNT/NAME) and in the path
// of the lab's (http://HOST/REGION/ACCOUNT/NAME).
func RegionOf(url string) string {
	for _, pattern := range []*regexp.Regexp{regionInHost, regionInPath} {
		if m := pattern.FindStringSubmatch(url); m != nil {
			return m[1]
		}
	}
	return ""
}

// Elsewhere reports whether url tells another region than region, if that is known. A
// client that signs for one region is refused by a queue in another.
func Elsewhere(url, region string) bool {
	in := RegionOf(url)
	return in != "" && region != "" && in != region
}
