package eventmodule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadGroup(t *testing.T) {
	t.Parallel()
	l := shelve(t)
	tests := map[string]struct {
		model  string
		args   []any
		kwargs object
		want   []any
	}{
		"lazy": {"event.registration", []any{[]any{}, []any{}, []any{"event_id", "state"}}, nil, []any{
			map[string]any{
				"event_id": []any{l.a, "Peinture"}, "event_id_count": int64(2), "__domain": []any{leaf("event_id", "=", l.a)},
				"__context": map[string]any{"group_by": []any{"state"}},
			},
		}},
		"all at once": {"event.registration", []any{[]any{leaf("id", ">", 0)}, []any{"__count"}, []any{"event_id", "state"}}, object{{"lazy", false}}, []any{
			map[string]any{"event_id": []any{l.a, "Peinture"}, "state": "cancel", "__count": int64(1), "__domain": []any{"&", "&", leaf("id", ">", int64(0)), leaf("event_id", "=", l.a), leaf("state", "=", "cancel")}},
			map[string]any{"event_id": []any{l.a, "Peinture"}, "state": "open", "__count": int64(1), "__domain": []any{"&", "&", leaf("id", ">", int64(0)), leaf("event_id", "=", l.a), leaf("state", "=", "open")}},
		}},
		"many2many": {"event.event", []any{[]any{}, []any{"seats_max:max", "n:count(id)"}, "tag_ids"}, object{{"orderby", "tag_ids desc"}}, []any{
			map[string]any{"tag_ids": []any{l.sea, "Eau"}, "tag_ids_count": int64(1), "seats_max": int64(0), "n": int64(1), "__domain": []any{leaf("tag_ids", "=", l.sea)}},
			map[string]any{"tag_ids": []any{l.art, "Arts"}, "tag_ids_count": int64(2), "seats_max": int64(24), "n": int64(2), "__domain": []any{leaf("tag_ids", "=", l.art)}},
		}},
		"quarter": {"event.event", []any{[]any{}, []any{"seats_max"}, "date_begin:quarter"}, object{{"limit", 1}, {"context", object{{"tz", "Europe/Brussels"}}}}, []any{
			map[string]any{
				"date_begin:quarter": "Q1 2027", "date_begin_count": int64(1), "seats_max": int64(24),
				"__domain": []any{"&", leaf("date_begin", ">=", "2026-12-31 23:00:00"), leaf("date_begin", "<", "2027-03-31 22:00:00")},
				"__range":  map[string]any{"date_begin:quarter": map[string]any{"from": "2026-12-31 23:00:00", "to": "2027-03-31 22:00:00"}},
			},
		}},
		"no group": {"event.event", []any{[]any{}, []any{"seats_max:sum"}, []any{}}, nil, []any{
			map[string]any{"__count": int64(2), "seats_max": int64(24)},
		}},
		"empty values": {"event.registration", []any{[]any{}, []any{}, "partner_id"}, nil, []any{
			map[string]any{"partner_id": false, "partner_id_count": int64(2), "__domain": []any{leaf("partner_id", "=", false)}},
		}},
	}
	for name, tt := range tests {
		got := l.do(tt.model, "read_group", tt.args, tt.kwargs)
		if d := cmp.Diff(any(tt.want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for _, row := range got.([]any) { // each group's own domain finds its rows
			row := row.(map[string]any)
			count := row["__count"]
			for key, v := range row {
				if strings.HasSuffix(key, "_count") && count == nil {
					count = v
				}
			}
			if domain, ok := row["__domain"]; ok {
				if n := l.do(tt.model, "search_count", []any{domain}, nil); n != count {
					t.Errorf("%s: __domain %s finds %v, the group has %v", name, pyRepr(domain), n, count)
				}
			}
		}
	}
	for _, bad := range []object{
		{{"fields", []any{"nofield:sum"}}, {"groupby", "state"}},
		{{"fields", []any{"id:nofunc"}}, {"groupby", "state"}},
		{{"fields", []any{}}, {"groupby", "create_date:century"}},
		{{"fields", []any{}}, {"groupby", "state:day"}},
		{{"fields", []any{}}, {"groupby", "state"}, {"orderby", "nothing"}},
		{{"fields", []any{}}, {"groupby", "state"}, {"orderby", "x; drop"}},
	} {
		if _, err := l.try("event.registration", "read_group", []any{[]any{}}, bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
