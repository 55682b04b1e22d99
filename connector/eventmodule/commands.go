package eventmodule

import (
	"context"
	"fmt"
)

// The x2many commands: [code, id, value].
const (
	cmdCreate = 0
	cmdUpdate = 1
	cmdDelete = 2
	cmdUnlink = 3
	cmdLink   = 4
	cmdClear  = 5
	cmdSet    = 6
)

// command is one decoded x2many command.
type command struct {
	code int64
	id   int64
	vals map[string]any
	ids  []int64
}

// parseCommands reads the value of an x2many field. Bare ids mean "set to
// these", and an empty value means "clear".
func parseCommands(m *model, f *field, v any) ([]command, error) {
	invalid := func() error {
		return traceback(fmt.Sprintf("ValueError: Wrong value for %s.%s: %s", m.name, f.name, pyRepr(v)))
	}
	switch v := v.(type) {
	case nil, bool:
		return []command{{code: cmdClear}}, nil
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
		if _, bare := v[0].(int64); bare {
			ids, err := idList(v)
			return []command{{code: cmdSet, ids: ids}}, err
		}
		commands := make([]command, 0, len(v))
		for _, e := range v {
			c, ok := parseCommand(e)
			if !ok {
				return nil, invalid()
			}
			commands = append(commands, c)
		}
		return commands, nil
	}
	return nil, invalid()
}

func parseCommand(v any) (command, bool) {
	parts, ok := v.([]any)
	if !ok || len(parts) == 0 || len(parts) > 3 {
		return command{}, false
	}
	var c command
	if c.code, ok = number(parts[0]); !ok || c.code < cmdCreate || c.code > cmdSet {
		return command{}, false
	}
	if len(parts) > 1 {
		c.id, _ = number(parts[1])
	}
	if c.code == cmdCreate || c.code == cmdUpdate || c.code == cmdSet {
		if len(parts) < 3 {
			return command{}, false
		}
	}
	switch c.code {
	case cmdCreate, cmdUpdate:
		c.vals, ok = parts[2].(map[string]any)
	case cmdSet:
		var err error
		c.ids, err = idList(parts[2])
		ok = err == nil
	case cmdDelete, cmdUnlink, cmdLink:
		ok = c.id != 0
	}
	return c, ok
}

// applyCommands runs the x2many values of a create or write on each id.
func (e *env) applyCommands(ctx context.Context, m *model, ids []int64, vals map[string]any) error {
	for _, f := range m.fields {
		v, given := vals[f.name]
		if !given || !f.toMany() {
			continue
		}
		commands, err := parseCommands(m, f, v)
		if err != nil {
			return err
		}
		for _, id := range ids {
			for _, c := range commands {
				if f.kind == kOne2many {
					err = e.oneToMany(ctx, f, id, c)
				} else {
					err = e.manyToMany(ctx, f, id, c)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// oneToMany runs a command on the rows that point to owner. Rows whose pointer
// cannot be empty are deleted when they are taken away.
func (e *env) oneToMany(ctx context.Context, f *field, owner int64, c command) error {
	co := e.model(f.comodel)
	inverse := co.field(f.inverse)
	release := func(ids []int64) error {
		if len(ids) == 0 {
			return nil
		}
		if inverse.required {
			return e.unlink(ctx, co, ids)
		}
		return e.write(ctx, co, ids, map[string]any{f.inverse: false})
	}
	current := func() ([]int64, error) {
		return e.distinct(ctx, fmt.Sprintf("SELECT id::bigint FROM %s WHERE %s = ANY($1::bigint[]) ORDER BY id", co.table(), f.inverse), []int64{owner})
	}
	switch c.code {
	case cmdCreate:
		vals := map[string]any{}
		for k, v := range c.vals {
			vals[k] = v
		}
		vals[f.inverse] = owner
		_, err := e.create(ctx, co, []map[string]any{vals})
		return err
	case cmdUpdate:
		return e.write(ctx, co, []int64{c.id}, c.vals)
	case cmdDelete:
		return e.unlink(ctx, co, []int64{c.id})
	case cmdUnlink:
		return release([]int64{c.id})
	case cmdLink:
		return e.write(ctx, co, []int64{c.id}, map[string]any{f.inverse: owner})
	}
	has, err := current()
	if err != nil {
		return err
	}
	if err := release(without(has, c.ids)); err != nil {
		return err
	}
	if add := without(c.ids, has); len(add) > 0 {
		return e.write(ctx, co, add, map[string]any{f.inverse: owner})
	}
	return nil
}

// manyToMany runs a command on the links of owner.
func (e *env) manyToMany(ctx context.Context, f *field, owner int64, c command) error {
	co := e.model(f.comodel)
	link := func(ids []int64) error {
		_, err := e.tx.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s, %s) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING", f.rel, f.left, f.right), owner, ids)
		return err
	}
	unlink := func(where string, ids []int64) error {
		_, err := e.tx.Exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s = $1 AND "+where, f.rel, f.left, f.right), owner, ids)
		return err
	}
	switch c.code {
	case cmdCreate:
		ids, err := e.create(ctx, co, []map[string]any{c.vals})
		if err != nil {
			return err
		}
		return link(ids)
	case cmdUpdate:
		return e.write(ctx, co, []int64{c.id}, c.vals)
	case cmdDelete:
		return e.unlink(ctx, co, []int64{c.id})
	case cmdUnlink:
		return unlink("%s = ANY($2::bigint[])", []int64{c.id})
	case cmdLink:
		return link([]int64{c.id})
	}
	keep := c.ids
	if keep == nil {
		keep = []int64{}
	}
	if err := unlink("NOT %s = ANY($2::bigint[])", keep); err != nil {
		return err
	}
	return link(keep)
}
