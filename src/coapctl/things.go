package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/lab"
)

type thingsCommand struct {
	Name string `arg:"" optional:"" help:"Thing whose shadow to show. Without it: list all things."`
	JSON bool   `name:"json" help:"Write JSON: a line for each thing, or the shadow as it came."`
	cloud
}

// Run lists things or shows one.
func (c *thingsCommand) Run(ctx context.Context, s streams) error {
	if c.Name != "" && !envelope.ValidName(c.Name) {
		return usagef("%q: a thing's name is 1 to 128 of a-z A-Z 0-9 : _ -", c.Name)
	}
	cfg, err := c.config(ctx)
	if err != nil {
		return err
	}
	if c.Name != "" {
		err = c.show(ctx, cfg, s)
	} else {
		err = c.list(ctx, cfg, s)
	}
	return c.advise(err, cfg)
}

// show prints a thing's shadow.
func (c *thingsCommand) show(ctx context.Context, cfg aws.Config, s streams) error {
	out, err := iotdataplane.NewFromConfig(cfg).GetThingShadow(ctx, &iotdataplane.GetThingShadowInput{ThingName: &c.Name})
	if _, none := errors.AsType[*types.ResourceNotFoundException](err); none {
		return fmt.Errorf("no shadow for %s: coapctl things lists those that are there", c.Name)
	}
	if err != nil {
		return fmt.Errorf("read the shadow of %s: %w", c.Name, err)
	}
	text := out.Payload
	if !c.JSON {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, out.Payload, "", "  "); err != nil {
			return fmt.Errorf("read the shadow of %s: %w", c.Name, err)
		}
		text = pretty.Bytes()
	}
	_, err = fmt.Fprintf(s.out, "%s\n", text)
	return err
}

// list prints all things.
func (c *thingsCommand) list(ctx context.Context, cfg aws.Config, s streams) error {
	table := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	lines := json.NewEncoder(s.out)
	n := 0
	for token := ""; ; {
		things, next, err := lab.Things(ctx, cfg, 250, token)
		if err != nil {
			return err
		}
		for _, t := range things {
			n++
			if c.JSON {
				if err := lines.Encode(t); err != nil {
					return err
				}
				continue
			}
			if n == 1 {
				fmt.Fprintln(table, "NAME\tTYPE\tVERSION\tCHANGED")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", t.Name, or(t.Type), version(t), changed(t))
		}
		if err := table.Flush(); err != nil { // a page at a time: there may be millions
			return err
		}
		if token = next; token == "" {
			break
		}
	}
	if n == 0 && !c.JSON {
		fmt.Fprintln(s.out, "no things yet: coapctl send posts a report")
	}
	return nil
}

func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func version(t lab.Thing) string {
	if t.Version == 0 {
		return "-"
	}
	return fmt.Sprint(t.Version)
}

func changed(t lab.Thing) string {
	if t.Changed.IsZero() {
		return "-"
	}
	return t.Changed.Local().Format(time.DateTime)
}

// advise says what to do about an AWS that does not answer.
func (c *thingsCommand) advise(err error, cfg aws.Config) error {
	switch {
	case err == nil || cfg.BaseEndpoint == nil:
		return err
	case refused(err):
		return fmt.Errorf("nobody listens at %s: start coapctl lab, or give --endpoint, or --aws for the real AWS", *cfg.BaseEndpoint)
	case strange(err):
		return fmt.Errorf("what answers at %s is no AWS: give the --endpoint that coapctl lab prints beside AWS, or --aws for the real AWS", *cfg.BaseEndpoint)
	}
	return err
}
