package device

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// host is what docs/firmware.md leaves to the reader.
const host = `#include <stdbool.h>
#include <stdint.h>
#include "dp.h"

extern uint8_t retained_memory[DP_RETAINED];
extern uint32_t reserved;
uint32_t seconds(void), milliseconds(void), entropy(void);
void retain_and_reserve(uint32_t seq), radio_send(const dp_output *out), sleep_for(uint32_t seconds);
bool radio_receive(dp_reply *reply, uint32_t until);
void boot(void), check_in(bool new_event, bool urgent);
`

// The loop of docs/firmware.md compiles as it stands there, without a warning.
func TestTwinDocument(t *testing.T) {
	compiler := tool(t, "cc", "gcc", "clang")
	page, err := os.ReadFile("../../docs/firmware.md")
	if err != nil {
		t.Fatal(err)
	}
	_, loop, begins := strings.Cut(string(page), "## The loop\n\n```c\n")
	loop, _, ends := strings.Cut(loop, "```\n")
	if !begins || !ends {
		t.Fatal("docs/firmware.md has lost its loop")
	}
	source := filepath.Join(t.TempDir(), "loop.c")
	if err := os.WriteFile(source, []byte(host+loop), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I", "c", "-c", "-o", source+".o", source).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
