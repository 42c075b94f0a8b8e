package envelope

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

var origin = Origin{Ingestor: "euw1-a", Region: "eu-west-1"}

// examples are the reports of testdata/bundle.txt, which docs/envelope.md shows.
var examples = []Report{
	{
		Received: 1763840000123, From: netip.MustParseAddrPort("203.0.113.7:49152"), Confirmable: true,
		MessageID: 4660, Token: []byte{0xa1, 0xb2}, Type: "th", ID: "a1", Seq: 0x1f4, Numbered: true,
		Format: 50, Payload: []byte(`{"t":21.5}`),
	},
	{
		Received: 1763840000124, From: netip.MustParseAddrPort("[2001:db8::7]:5683"),
		MessageID: 65535, Type: "door", ID: "lobby:2_b-1", Query: "fw=1.2&note=a%26b",
		Format: NoFormat, Payload: []byte("open \"wide\"\n\tat 7°"),
	},
	{
		Received: 1763840000125, From: netip.MustParseAddrPort("203.0.113.9:1024"), Confirmable: true,
		MessageID: 0, Token: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Type: "meter", ID: "m", Query: "k=\xff",
		Seq: 1<<64 - 1, Numbered: true, Format: 42, Payload: []byte{0, 0xff, 0xfe},
	},
	{
		Received: 1763840000126, From: netip.MustParseAddrPort("203.0.113.9:1024"),
		MessageID: 1, Type: "meter", ID: "m", Seq: 0, Numbered: true, Format: 0,
	},
}

func bundle(reports ...Report) []byte {
	body := AppendHeader(nil, origin)
	for i := range reports {
		body = AppendReport(body, &reports[i])
	}
	return body
}

func TestGolden(t *testing.T) {
	const file = "testdata/bundle.txt"
	body := bundle(examples...)
	if *update {
		if err := os.WriteFile(file, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, want) {
		t.Errorf("encoded:\n%s\n%s holds:\n%s", body, file, want)
	}
	b, err := Open(string(want))
	if err != nil {
		t.Fatal(err)
	}
	if b.Origin != origin {
		t.Errorf("origin %+v, want %+v", b.Origin, origin)
	}
	if got := decode(t, b); !reflect.DeepEqual(got, examples) {
		t.Errorf("decoded %+v\nwant %+v", got, examples)
	}
}

// The reference shows exactly the golden bundle.
func TestReferenceShowsGolden(t *testing.T) {
	doc, err := os.ReadFile("../../docs/envelope.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/bundle.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(doc, golden) {
		t.Errorf("docs/envelope.md does not show testdata/bundle.txt word for word")
	}
}

func decode(t *testing.T, b Bundle) []Report {
	t.Helper()
	var reports []Report
	for line := range b.Lines() {
		r, err := line.Report()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		reports = append(reports, r)
	}
	return reports
}

// A later release may add fields; this one must not trip over them.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	b, err := Open(`{"coap":1,"ingestor":"a","region":"r","new":[1]}` + "\n" +
		`{"at":1,"from":"1.2.3.4:5","con":true,"mid":2,"type":"t","id":"i","new":{"x":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Report{{Received: 1, From: netip.MustParseAddrPort("1.2.3.4:5"), Confirmable: true, MessageID: 2, Type: "t", ID: "i", Format: NoFormat}}
	if got := decode(t, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       error
	}{
		{"empty", "", ErrMalformed},
		{"not JSON", "hello", ErrMalformed},
		{"an array", "[]", ErrMalformed},
		{"no version", `{"ingestor":"a","region":"r"}`, ErrMalformed},
		{"version 0", `{"coap":0}`, ErrMalformed},
		{"the next version", `{"coap":2,"whatever":1}` + "\nnot even lines of JSON", ErrVersion},
	} {
		if _, err := Open(tt.body); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	const good = `{"at":1,"from":"1.2.3.4:5","con":true,"mid":2,"token":"aa","type":"t","id":"i","seq":"1f","format":50,"payload":"x"}`
	if _, err := Line(good).Report(); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"at":1,`, ``},
		{`"from":"1.2.3.4:5",`, ``},
		{`1.2.3.4:5`, `1.2.3.4`},
		{`1.2.3.4:5`, `[fe80::1%eth0]:5`},
		{`"mid":2`, `"mid":65536`},
		{`"mid":2`, `"mid":-1`},
		{`"token":"aa"`, `"token":"a"`},
		{`"token":"aa"`, `"token":"aaaaaaaaaaaaaaaaaa"`},
		{`"type":"t"`, `"type":"t/"`},
		{`"type":"t"`, `"type":""`},
		{`"id":"i"`, `"id":"` + strings.Repeat("i", 129) + `"`},
		{`"seq":"1f"`, `"seq":"1g"`},
		{`"seq":"1f"`, `"seq":""`},
		{`"format":50`, `"format":65536`},
		{`"payload":"x"`, `"payload64":"?"`},
		{`"payload":"x"`, `"query64":"?"`},
		{`"payload":"x"}`, `"payload":"x"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%q is not in the good line", change[0])
		}
		if _, err := Line(bad).Report(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want ErrMalformed", bad, err)
		}
	}
}

// What SQS would refuse goes in base64, at the edges of each of its ranges.
func TestText(t *testing.T) {
	for _, tt := range []struct {
		payload string
		text    bool
	}{
		{"\t\n\r ~\x7f", true},
		{"\u0080\ud7ff\ue000\ufffd\U00010000\U0010ffff", true},
		{"\x00", false}, {"\x08", false}, {"\x0b", false}, {"\x0c", false}, {"\x0e", false}, {"\x1f", false},
		{"\ufffe", false}, {"\uffff", false},
		{"\xff", false}, {"\xc0\x80", false}, {"\xed\xa0\x80", false}, {"\xf4\x90\x80\x80", false}, {"a\xc3", false},
	} {
		r := examples[0]
		r.Payload = []byte(tt.payload)
		line := string(AppendReport(nil, &r))
		if got := strings.Contains(line, `"payload":`); got != tt.text {
			t.Errorf("payload %+q: text %v, want %v", tt.payload, got, tt.text)
		}
	}
}

// Each line of a bundle keeps its bytes when a part of the bundle is sent again.
func TestWithKeepsBytes(t *testing.T) {
	body := string(bundle(examples...))
	b, err := Open(body)
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(b.Lines())
	if got := b.With(lines...); got != body {
		t.Errorf("all lines: got\n%s\nwant\n%s", got, body)
	}
	part := b.With(lines[1], lines[3])
	again, err := Open(part)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(again.Lines()); !slices.Equal(got, []Line{lines[1], lines[3]}) {
		t.Errorf("got %q", got)
	}
	if !strings.HasPrefix(part, strings.SplitN(body, "\n", 2)[0]+"\n") {
		t.Errorf("the header changed: %s", part)
	}
}

func TestLongestLineFits(t *testing.T) {
	quote := strings.Repeat(`"`, 1152)
	r := Report{
		Received: 1 << 62, From: netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
		MessageID: 65535, Token: bytes.Repeat([]byte{0xff}, 8), Type: strings.Repeat("t", 128), ID: strings.Repeat("i", 128),
		Query: strings.Repeat("%25", 4*255) + "&&\x00", Seq: 1<<64 - 1, Numbered: true, Format: 65535, Payload: []byte(quote),
	}
	if n := len(AppendReport(nil, &r)); n > MaxLine {
		t.Errorf("a line of %d bytes is longer than MaxLine", n)
	}
}

func TestAppendReportDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, MaxLine)
	if n := testing.AllocsPerRun(100, func() { AppendReport(dst, &examples[0]) }); n != 0 {
		t.Errorf("%v allocations a report", n)
	}
}

// randomReport draws from the edges of each field.
func randomReport(rng *rand.Rand) Report {
	name := func() string {
		const set = "azAZ09:_-"
		b := make([]byte, 1+rng.IntN(128))
		for i := range b {
			b[i] = set[rng.IntN(len(set))]
		}
		return string(b)
	}
	data := func(max int) []byte {
		b := make([]byte, rng.IntN(max))
		kind := rng.IntN(3)
		for i := range b {
			switch kind {
			case 0:
				b[i] = byte(rng.Uint32())
			case 1:
				b[i] = " \"\\/<>&\n\t\r{}[]:,0aé"[rng.IntN(18)]
			default:
				b[i] = byte(0x20 + rng.IntN(0x60))
			}
		}
		if len(b) == 0 {
			return nil
		}
		return b
	}
	r := Report{
		Received: rng.Int64N(1 << 50), Confirmable: rng.IntN(2) == 0, MessageID: uint16(rng.Uint32()),
		From: netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(rng.Uint32()), 2, 3, 4}), uint16(rng.Uint32())),
		Type: name(), ID: name(), Query: string(data(300)), Format: rng.IntN(65537) - 1, Payload: data(1153),
	}
	if token := data(9); token != nil {
		r.Token = token
	}
	if rng.IntN(2) == 0 {
		r.Numbered, r.Seq = true, rng.Uint64()>>rng.IntN(64)
	}
	return r
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		reports := make([]Report, 1+rng.IntN(4))
		for i := range reports {
			reports[i] = randomReport(rng)
		}
		body := bundle(reports...)
		if !isText(body) {
			t.Fatalf("seed %d: SQS would refuse\n%q", seed, body)
		}
		b, err := Open(string(body))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if got := decode(t, b); !reflect.DeepEqual(got, reports) {
			t.Fatalf("seed %d: got\n%+v\nwant\n%+v", seed, got, reports)
		}
	}
}

// FuzzOpen gives a reader whatever somebody may put on the queue by hand. What it
// accepts must encode to text that decodes to the same report.
func FuzzOpen(f *testing.F) {
	f.Add(string(bundle(examples...)))
	f.Add(`{"coap":2}`)
	f.Add("{\"coap\":1}\n{}\n\n{\"at\":0,\"from\":\"[::1]:1\",\"type\":\"t\",\"id\":\"i\",\"payload\":\"\\ud800\"}")
	f.Add("{\"coap\":1}\n{\"at\":0,\"from\":\"[::1]:1\",\"type\":\"t\",\"id\":\"i\",\"payload64\":\"\"}")
	f.Fuzz(func(t *testing.T, body string) {
		b, err := Open(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("unclassified error %v", err)
			}
			return
		}
		for line := range b.Lines() {
			if strings.Contains(string(line), "\n") {
				t.Fatalf("a line holds a line feed: %q", line)
			}
			r, err := line.Report()
			if err != nil {
				if !errors.Is(err, ErrMalformed) {
					t.Fatalf("unclassified error %v", err)
				}
				continue
			}
			encoded := AppendReport(nil, &r)
			if !isText(encoded) || !utf8.Valid(encoded) {
				t.Fatalf("SQS would refuse %q", encoded)
			}
			again, err := Line(encoded[1:]).Report()
			if err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%q decoded to %+v, %v, want %+v", encoded, again, err, r)
			}
		}
	})
}

func BenchmarkAppendReport(b *testing.B) {
	dst := make([]byte, 0, MaxLine)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendReport(dst[:0], &examples[0])
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkReport(b *testing.B) {
	line := Line(AppendReport(nil, &examples[0])[1:])
	b.ReportAllocs()
	for b.Loop() {
		if _, err := line.Report(); err != nil {
			b.Fatal(err)
		}
	}
}
