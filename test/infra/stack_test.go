package infra

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/terraform"

	"coap-for-aws-iot/test/stand"
)

const (
	primary   = "us-east-1"
	secondary = "eu-west-1"
)

// applyLimit bounds an apply with its second plan, or a destroy: three times what they take
// on two cores. A call that moto lacks makes the provider wait for longer.
const applyLimit = 5 * time.Minute

// other is the region that a region is paired with.
func other(region string) string {
	if region == primary {
		return secondary
	}
	return primary
}

// A stack is both live roots, each with a state of its own, on one moto.
type stack struct {
	tree    string
	regions *stand.Regions
	plans   map[string]*terraform.PlanStruct // by region: the second plan, in which all is known
	vars    map[string]map[string]any        // by region: what its owner has set
}

// newStack applies nothing yet.
func newStack(t testing.TB) *stack {
	t.Helper()
	stand.Terraform(t)
	return &stack{
		tree:    stand.Tree(t),
		regions: stand.NewRegions(t, stand.StartMoto(t)),
		plans:   map[string]*terraform.PlanStruct{},
		vars:    map[string]map[string]any{primary: {}, secondary: {}},
	}
}

// root returns the options of a region's root.
func (s *stack) root(t testing.TB, region string) *terraform.Options {
	t.Helper()
	o := options(t, s.tree, "live/"+region, s.regions.URL)
	maps.Copy(o.Vars, s.vars[region])
	return o
}

// introduce tells a region's root the addresses of the other region, as an operator does.
func (s *stack) introduce(t testing.TB, region string) {
	t.Helper()
	s.vars[region]["other_addresses"] = terraform.OutputMapContext(t, t.Context(), s.root(t, other(region)), "own_addresses")
}

func (s *stack) api(region string) api { return api{s.regions.URL, region} }

// apply applies a region's root while the other region is dead, and plans it again: there
// must be nothing left to do.
func (s *stack) apply(t testing.TB, region string) {
	t.Helper()
	s.regions.Down(other(region))
	defer s.regions.Down()
	o := s.root(t, region)
	ctx, cancel := context.WithTimeout(t.Context(), applyLimit)
	defer cancel()
	terraform.InitAndApplyContext(t, ctx, o)
	o.PlanFilePath = filepath.Join(o.TerraformDir, "second.plan")
	plan := terraform.InitAndPlanAndShowWithStructContext(t, ctx, o)
	for address, change := range plan.ResourceChangesMap {
		if !change.Change.Actions.NoOp() && !change.Change.Actions.Read() {
			before, _ := json.Marshal(change.Change.Before)
			after, _ := json.Marshal(change.Change.After)
			t.Errorf("%s: the second plan would %v %s\nfrom %s\nto %s", region, change.Change.Actions, address, before, after)
		}
	}
	for name, change := range plan.RawPlan.OutputChanges {
		if !change.Actions.NoOp() {
			t.Errorf("%s: the second plan would %v the output %s", region, change.Actions, name)
		}
	}
	if asked := s.regions.Asked(); len(asked) > 0 {
		t.Errorf("%s: the other region was asked for %v", region, asked)
	}
	s.plans[region] = plan
}

// destroy destroys a region's root while the other region is dead.
func (s *stack) destroy(t testing.TB, region string) {
	t.Helper()
	s.regions.Down(other(region))
	defer s.regions.Down()
	ctx, cancel := context.WithTimeout(t.Context(), applyLimit)
	defer cancel()
	terraform.DestroyContext(t, ctx, s.root(t, region))
}

// applied is both roots, as docs/deploy.md has them applied: the primary's, the secondary's
// with the primary's addresses, and the primary's again with the secondary's. Tests share it
// that only look.
func applied(t *testing.T) *stack {
	t.Helper()
	shared.once.Do(func() {
		defer func() { shared.skipped = t.Skipped() }()
		s := newStack(lasting{t})
		s.apply(t, primary)
		s.introduce(t, secondary)
		s.apply(t, secondary)
		s.introduce(t, primary)
		s.apply(t, primary)
		shared.stack = s
	})
	if shared.skipped {
		t.Skip("something is missing, see the test that was skipped first")
	}
	if shared.stack == nil {
		t.Fatal("there is no stack to look at: an earlier test could not apply it")
	}
	return shared.stack
}

var shared struct {
	once    sync.Once
	stack   *stack
	skipped bool // there is no stack for want of a tool
}
