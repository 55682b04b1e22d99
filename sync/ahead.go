package sync

import (
	"context"
	"iter"
)

// ahead hands pages to use one by one, and reads the next while the last is being used: Odoo and our database work at
// the same time. It ends at the first error of either side.
func ahead[T any](ctx context.Context, pages func(context.Context) iter.Seq2[[]T, error], use func([]T) error) error {
	type page struct {
		items []T
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	read := make(chan page, 1)
	go func() {
		defer close(read)
		for items, err := range pages(ctx) {
			select {
			case read <- page{items, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range read { // the reader ends before we do
		}
	}()
	for p := range read {
		if p.err != nil {
			return p.err
		}
		if err := use(p.items); err != nil {
			return err
		}
	}
	return ctx.Err()
}
