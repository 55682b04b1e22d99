package eventmodule

import (
	"fmt"
	"strconv"
	"time"
)

// query gathers the arguments and aliases of one SQL statement. Values only
// ever enter it through arg.
type query struct {
	args  []any
	alias int
	now   time.Time
	srv   *Server
}

// arg adds a value and returns its placeholder.
func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// next returns a fresh row alias.
func (q *query) next() string {
	q.alias++
	return fmt.Sprintf("t%d", q.alias)
}
