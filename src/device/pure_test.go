package device

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPure: the policy has no imports, so no clock and no I/O, and nothing in it that C on a
// microcontroller would not have.
func TestPure(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	forbidden := []string{"make", "new", "append", "float32", "float64", "any", "error", "panic"}
	files, seen := token.NewFileSet(), 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		seen++
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			t.Errorf("%s imports %s", name, i.Path.Value)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.MapType, *ast.ChanType, *ast.GoStmt, *ast.DeferStmt, *ast.FuncLit, *ast.InterfaceType:
				t.Errorf("%s: %T", files.Position(n.Pos()), n)
			case *ast.Ident:
				if slices.Contains(forbidden, n.Name) {
					t.Errorf("%s: %s", files.Position(n.Pos()), n.Name)
				}
			case *ast.BasicLit:
				if n.Kind == token.FLOAT {
					t.Errorf("%s: %s", files.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
	}
	if seen < 10 {
		t.Errorf("looked at %d files", seen)
	}
}

func TestNoAllocation(t *testing.T) {
	p, _ := Boot(Config{}, 1, 1)
	now := uint32(0)
	n := testing.AllocsPerRun(1000, func() {
		now += 3600
		out := p.Wake(now, now, true, false)
		reply := Reply{From: out.Address, Type: ACK, Code: 5<<5 | 3, MessageID: out.MessageID, TokenLen: 4}
		copy(reply.Token[:], out.Token[:])
		p.TxDone(10)
		out = p.Rx(300, reply)
		p.TxDone(310)
		reply.From, reply.MessageID, reply.Code = out.Address, out.MessageID, 2<<5|4
		if out = p.Rx(600, reply); out.Outcome != Delivered {
			t.Fatal(out)
		}
		image := p.Retain()
		p, _ = Restore(Config{}, &image)
		p.Wake(now, now, true, true)
		p.TxDone(0)
		p.Timer(1 << 20)
	})
	if n != 0 {
		t.Errorf("%v allocations in a check-in", n)
	}
}

// TestOtherVersion: a state of another version, or another kind of memory, is foreign even
// if its checksum is right.
func TestOtherVersion(t *testing.T) {
	p, _ := Boot(Config{}, 1, 1)
	for at := range 2 {
		image := p.Retain()
		image[at]++
		put32(image[Size-4:], checksum(image[:Size-4]))
		if _, ok := Restore(Config{}, &image); ok {
			t.Errorf("byte %d does not matter", at)
		}
	}
}

// TestReserve: numbers never go back, wherever power is lost, and flash is written rarely.
func TestReserve(t *testing.T) {
	for _, start := range []uint32{0, 1, 1<<32 - 300} {
		flash, writes := start, 0
		p, _ := Boot(Config{}, 1, flash)
		highest, any := uint32(0), false
		for event := range uint32(5000) {
			if event%613 == 612 { // power is lost
				p, _ = Boot(Config{}, event, flash)
			}
			out := p.Wake(event, event, true, true)
			next, write := Reserve(flash, out.Seq)
			if write {
				flash = next
				writes++
			}
			if any && !before(highest, out.Seq) {
				t.Fatalf("number %d after %d", out.Seq, highest)
			}
			if !before(out.Seq, flash) {
				t.Fatalf("number %d is sent, a cold boot would begin with %d", out.Seq, flash)
			}
			highest, any = out.Seq, true
		}
		if most := 5000/SeqBlock + 2*5000/613 + 1; writes > most {
			t.Errorf("flash was written %d times, at most %d are due", writes, most)
		}
	}
}
