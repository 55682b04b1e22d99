package db

import (
	"context"

	"github.com/pressly/goose/v3"
)

// Down takes our own schema back to nothing; only the test of the migrations does that.
func Down(ctx context.Context, d *DB) error {
	return withProvider(d, func(p *goose.Provider) error {
		_, err := p.DownTo(ctx, 0)
		return err
	})
}
