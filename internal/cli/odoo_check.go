package cli

import (
	"errors"
	"fmt"
	"time"
)

type odooCheckCommand struct{}

// odooCheckTime bounds the whole look at Odoo.
const odooCheckTime = 90 * time.Second

// Run prints what was found, one line a finding, and ends with 1 when the daily work is not possible.
func (odooCheckCommand) Run(r *run) (err error) {
	if r.config.OdooURL == "" {
		h := &home{dir: r.config.Home}
		if known, err := h.record(); err != nil || known == nil || !known.Demo {
			return errors.Join(errors.New("ODOO_URL is not set, so there is no Odoo to check"), err)
		}
	}
	client, closeClient, err := openOdoo(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeClient()) }()
	ctx, cancel := withTimeout(r, odooCheckTime)
	defer cancel()
	report := client.Check(ctx)
	fmt.Fprint(r.out, redact(report.String()))
	if !report.OK() {
		return errTold
	}
	return nil
}
