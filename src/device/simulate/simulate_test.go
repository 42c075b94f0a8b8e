package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coap-for-aws-iot/src/device"
)

const docs = "../../../docs"

// TestDocs: the page and the plot are what the command makes.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(docs, "device.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := replaceTables(string(page), tables(1))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != want {
		t.Error("docs/device.md is behind: go run ./src/device/simulate -docs docs")
	}
	picture, err := os.ReadFile(filepath.Join(docs, "device.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if string(picture) != plot(1) {
		t.Error("docs/device.svg is behind: go run ./src/device/simulate -docs docs")
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "device.md")
	if err := run(dir, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a page: %v", err)
	}
	if err := os.WriteFile(page, []byte("no tables"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, 1); !errors.Is(err, errMarkers) {
		t.Errorf("without markers: %v", err)
	}
	if err := os.WriteFile(page, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, 1); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + begin, "| a region dead (0 and 2) | 200 |", end + "after\n"} {
		if !strings.Contains(string(got), want) || strings.Contains(string(got), "old") {
			t.Errorf("wrote %s", got)
		}
	}
}

// TestPromises: not on the average, but in every run.
func TestPromises(t *testing.T) {
	for _, test := range []struct {
		name string
		n    network
		most uint64
	}{
		{"region dead", network{roundTrip: 300, dead: 1<<0 | 1<<2}, 4},
		{"the other region dead", network{roundTrip: 300, dead: 1<<1 | 1<<3}, 4},
		{"address 0 dead", network{roundTrip: 300, dead: 1 << 0}, 2},
		{"address 3 dead", network{roundTrip: 300, dead: 1 << 3}, 2},
		{"round trip 2.6 s", network{roundTrip: 2600}, 2},
		{"region busy", network{roundTrip: 300, busy: 1<<0 | 1<<2}, 0},
	} {
		for seed := range uint64(100) {
			if got := ours(device.Config{})(test.n, newRandom(seed, 0)); got.unverified > test.most {
				t.Fatalf("%s, seed %d: %d of %d check-ins unverified, at most %d may be", test.name, seed, got.unverified, checkIns, test.most)
			}
		}
	}
}

// TestPlain: the loop fails as it is known to, so it is the loop that is meant.
func TestPlain(t *testing.T) {
	for _, test := range []struct {
		n    network
		want uint64
	}{
		{network{roundTrip: 900}, 0},
		{network{roundTrip: 1500}, 200},
		{network{roundTrip: 2600}, 267},
		{network{roundTrip: 300, dead: 1}, 100},
		{network{roundTrip: 300, dead: 5}, 200},
	} {
		if got := plain(test.n, newRandom(1, 1)); got.unverified != test.want || got.sends != checkIns {
			t.Errorf("%+v: %+v, want %d unverified", test.n, got, test.want)
		}
	}
}

func TestSeed(t *testing.T) {
	lossy := network{roundTrip: 300, loss: 10}
	policy := ours(device.Config{})
	one, again, other := mean(policy, lossy, 1, few), mean(policy, lossy, 1, few), mean(policy, lossy, 2, few)
	if one != again || one == other {
		t.Errorf("seed 1: %+v and %+v, seed 2: %+v", one, again, other)
	}
}
