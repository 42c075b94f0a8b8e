package device

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The C twin is the same machine: the same vectors, and the same answer to every input of
// every script, under the address and undefined-behaviour sanitizers.

// compile builds C sources of the folder c, with every warning an error. Without a compiler
// the test is skipped, unless PEERS_REQUIRED is 1.
func compile(t *testing.T, name string, sources ...string) (program string) {
	t.Helper()
	compiler := tool(t, "cc", "gcc", "clang")
	program = filepath.Join(t.TempDir(), name)
	args := []string{"-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program}
	for _, s := range sources {
		args = append(args, filepath.Join("c", s))
	}
	if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", compiler, strings.Join(args, " "), err, out)
	}
	return program
}

func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	reason := fmt.Sprintf("none of %v is installed", names)
	if os.Getenv("PEERS_REQUIRED") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

func TestTwinVectors(t *testing.T) {
	program := compile(t, "vectors", "vectors.c", "dp.c")
	out, err := exec.Command(program, filepath.Join("testdata", "vectors.txt")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n, _ := strconv.Atoi(strings.Fields(string(out))[0]); n < 40 {
		t.Errorf("only %s", out)
	}
}

func TestTwinScripts(t *testing.T) {
	const scripts, steps = lives, 30
	twin := startTwin(t, compile(t, "script", "script.c", "dp.c"))
	const batch = 500
	seen := map[string]int{}
	for seed := 0; seed < scripts; seed += batch {
		var inputs, want []byte
		for i := range batch {
			play(seeded(uint64(seed+i)), steps, func(s *script, in input) {
				inputs = in.line(inputs)
				want = s.line(want)
				if s.out.Action == Sleep {
					seen[s.out.Outcome.String()]++
				}
			})
		}
		if got := twin.answer(inputs, len(want)); !bytes.Equal(got, want) {
			report(t, seed, steps, inputs, got, want)
		}
	}
	for o := Held; o <= Accepted; o++ {
		if seen[o.String()] < scripts/100 {
			t.Errorf("only %d check-ins ended %s", seen[o.String()], o)
		}
	}
	t.Logf("%d scripts of %d inputs, check-ins by outcome: %v", scripts, steps, seen)
}

// report shows the first script in which the twins differ, up to there.
func report(t *testing.T, seed, steps int, inputs, got, want []byte) {
	t.Helper()
	in, g, w := bytes.Split(inputs, []byte("\n")), bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range w {
		if i < len(g) && bytes.Equal(g[i], w[i]) {
			continue
		}
		for j := i - i%steps; j <= i; j++ {
			t.Logf("%s -> %s", in[j], w[j])
		}
		if i >= len(g) {
			g = append(g, []byte("nothing"))
		}
		t.Fatalf("seed %d, step %d: C says %s", seed+i/steps, i%steps, g[min(i, len(g)-1)])
	}
}

// twinProcess is the C twin behind a pipe.
type twinProcess struct {
	t      *testing.T
	stdin  io.Writer
	stdout *bufio.Reader
}

func startTwin(t *testing.T, program string) *twinProcess {
	t.Helper()
	cmd := exec.Command(program)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, stderr.Bytes())
		}
	})
	return &twinProcess{t, stdin, bufio.NewReaderSize(stdout, 1<<20)}
}

// answer sends lines and reads the answer of each.
func (p *twinProcess) answer(inputs []byte, n int) []byte {
	p.t.Helper()
	go p.stdin.Write(append(inputs, "F\n"...))
	got := make([]byte, 0, n)
	for {
		line, err := p.stdout.ReadBytes('\n')
		if err != nil {
			return append(got, line...)
		}
		if string(line) == "flushed\n" {
			return got
		}
		got = append(got, line...)
	}
}

// TestTwinSize prints what the twin costs on a Cortex-M0+, and guards what docs/device.md
// promises: 4 KiB of code, 256 bytes of memory.
func TestTwinSize(t *testing.T) {
	compiler, err := exec.LookPath("arm-none-eabi-gcc")
	if err != nil {
		t.Skip("arm-none-eabi-gcc is not installed")
	}
	object := filepath.Join(t.TempDir(), "dp.o")
	build := exec.Command(compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Os", "-mcpu=cortex-m0plus", "-mthumb",
		"-c", "-o", object, filepath.Join("c", "dp.c"))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("arm-none-eabi-size", object).Output()
	if err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`\d+`).FindAllString(string(out), -1)
	code, _ := strconv.Atoi(numbers[0])
	ram := sizeOnTarget(t, compiler)
	t.Logf("Cortex-M0+, -Os: %d bytes of code, %d of memory, %d of it retained", code, ram, Size)
	if numbers[1] != "0" || numbers[2] != "0" {
		t.Errorf("the twin has variables of its own:\n%s", out)
	}
	if code > 4096 || ram > 256 {
		t.Errorf("larger than docs/device.md says")
	}
}

// sizeOnTarget is sizeof(dp_policy), read from the symbol of an object of that type.
func sizeOnTarget(t *testing.T, compiler string) int {
	t.Helper()
	object := filepath.Join(t.TempDir(), "ram.o")
	build := exec.Command(compiler, "-std=c99", "-mcpu=cortex-m0plus", "-mthumb", "-Ic", "-c", "-x", "c", "-o", object, "-")
	build.Stdin = strings.NewReader("#include \"dp.h\"\ndp_policy policy;\n")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command("arm-none-eabi-size", object).Output()
	if err != nil {
		t.Fatal(err)
	}
	numbers := regexp.MustCompile(`\d+`).FindAllString(string(out), -1)
	n, _ := strconv.Atoi(numbers[2])
	return n
}
