package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ribambelle/connector"
)

// openOdoo returns a client of the configured Odoo, or of the demo's, without opening the rest of the house.
func openOdoo(r *run) (*connector.Client, func() error, error) {
	config := r.config
	h := &home{dir: config.Home}
	done := h.close
	if config.OdooURL == "" {
		sims, err := h.simulate(r.ctx, newLogger(r.log, slog.LevelWarn))
		if err != nil {
			return nil, nil, errors.Join(err, h.close())
		}
		config = sims.fill(config)
		done = func() error { return errors.Join(sims.close(), h.close()) }
	}
	client, err := newOdoo(config)
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return client, func() error { client.Close(); return done() }, nil
}

// newOdoo checks the settings; it does not call.
func newOdoo(c Config) (*connector.Client, error) {
	client, err := connector.New(connector.Config{
		URL: c.OdooURL, DB: c.OdooDB, User: c.OdooUser, Password: c.OdooPassword, CampMark: c.OdooCampMark,
	})
	if err != nil {
		return nil, fmt.Errorf("the settings of Odoo: %w", err)
	}
	return client, nil
}

func withTimeout(r *run, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.ctx, d)
}
