package connector

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// model binds an Odoo model to the Go type of its records.
type model[T any] struct {
	name string
	// fields are the candidates to read; those the server lacks are left out.
	fields []string
	// archived says that the model has an active field, so that archived rows
	// must be asked for.
	archived bool
	// from builds the value; conversion errors stay in the row.
	from func(*row, Profile) T
}

// pages reads the records of a domain in pages, ordered by id and each
// beginning after the last id of the one before. Rows written meanwhile move
// no page border, so none is skipped or read twice. Archived rows are among
// them. It ends at the first error.
func pages[T any](ctx context.Context, c *Client, m model[T], domain []any) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		var last int64
		for {
			rows, err := page(ctx, c, m, domain, last)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(rows.items) > 0 && !yield(rows.items, nil) {
				return
			}
			if len(rows.items) < c.cfg.PageSize {
				return
			}
			last = rows.last
		}
	}
}

type pageOf[T any] struct {
	items []T
	last  int64
}

func page[T any](ctx context.Context, c *Client, m model[T], domain []any, after int64) (pageOf[T], error) {
	var p pageOf[T]
	fields, err := c.known(ctx, m.name, m.fields)
	if err != nil {
		return p, err
	}
	profile, err := c.Profile(ctx)
	if err != nil {
		return p, err
	}
	if after > 0 {
		domain = append(slices.Clip(domain), []any{"id", ">", after})
	}
	kwargs := map[string]any{
		"fields": slices.Sorted(maps.Keys(fields)),
		"limit":  c.cfg.PageSize,
		"order":  "id",
	}
	if m.archived {
		kwargs["context"] = map[string]any{"active_test": false}
	}
	v, err := c.execute(ctx, call{Model: m.name, Method: "search_read", Args: []any{domain}, Kwargs: kwargs, ReadOnly: true})
	if err != nil {
		return p, err
	}
	p.last = after
	p.items, err = convert(m, fields, profile, v, func(id int64) error {
		if id <= p.last {
			return badValue(m.name, fmt.Sprintf("%s %d comes after %d", m.name, id, p.last))
		}
		p.last = id
		return nil
	})
	if err == nil && len(p.items) > c.cfg.PageSize {
		err = badValue(m.name, fmt.Sprintf("%d rows where %d were asked", len(p.items), c.cfg.PageSize))
	}
	return p, err
}

// convert turns an answer's rows into values; seen is told each id in turn.
func convert[T any](m model[T], fields map[string]Field, profile Profile, v any, seen func(int64) error) ([]T, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, badValue(m.name, fmt.Sprintf("the rows of %s are a %T", m.name, v))
	}
	items := make([]T, 0, len(list))
	for _, e := range list {
		r, err := newRow(m.name, fields, e)
		if err != nil {
			return nil, err
		}
		if err := seen(r.id); err != nil {
			return nil, err
		}
		item := m.from(&r, profile)
		if r.err != nil {
			return nil, r.err
		}
		items = append(items, item)
	}
	return items, nil
}

// collect reads all pages of a domain.
func collect[T any](ctx context.Context, c *Client, m model[T], domain []any) ([]T, error) {
	var all []T
	for items, err := range pages(ctx, c, m, domain) {
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// byIDs reads the records of the given ids in ascending order. Those that do
// not exist (any more) are missing from the result.
func byIDs[T any](ctx context.Context, c *Client, m model[T], ids []int64) ([]T, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var all []T
	for chunk := range slices.Chunk(ids, c.cfg.PageSize) {
		p, err := page(ctx, c, m, []any{[]any{"id", "in", chunk}}, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, p.items...)
	}
	return all, nil
}

// anyTime stands for all rows.
var anyTime time.Time

// changedSince is the domain of the rows written at or after an instant; all
// rows for the zero time. Odoo shows write_date to the second, keeps it to the
// microsecond and sets it when the transaction begins, not when it commits:
// the caller subtracts an overlap of at least Odoo's longest transaction.
func changedSince(since time.Time) []any {
	if since.IsZero() {
		return []any{}
	}
	return []any{[]any{"write_date", ">=", since.UTC().Truncate(time.Second)}}
}

// sweepPage is the number of ids asked at once; an id costs about 40 bytes.
const sweepPage = 5000

// IDs returns the ids of a model's records that match an Odoo domain, archived
// ones included, in ascending order.
func (c *Client) IDs(ctx context.Context, model string, domain []any) ([]int64, error) {
	var all []int64
	for {
		var last int64
		if len(all) > 0 {
			last = all[len(all)-1]
		}
		d := append(slices.Clip(domain), []any{"id", ">", last})
		v, err := c.execute(ctx, call{
			Model: model, Method: "search", Args: []any{d}, ReadOnly: true,
			Kwargs: map[string]any{"limit": sweepPage, "order": "id", "context": map[string]any{"active_test": false}},
		})
		if err != nil {
			return nil, err
		}
		list, ok := v.([]any)
		if !ok {
			return nil, badValue(model, fmt.Sprintf("the ids of %s are a %T", model, v))
		}
		ids, err := idList(list)
		if err != nil {
			return nil, badValue(model, err.Error())
		}
		for _, id := range ids {
			if id <= last {
				return nil, badValue(model, fmt.Sprintf("%s %d comes after %d", model, id, last))
			}
			last = id
		}
		all = append(all, ids...)
		if len(ids) < sweepPage {
			return all, nil
		}
	}
}
