package connector

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ribambelle/internal/civil"
)

func TestRowConversion(t *testing.T) {
	t.Parallel()
	july := time.Date(2026, 7, 6, 7, 30, 15, 0, time.UTC)
	text := func(r *row) any { return r.text("f") }
	integer := func(r *row) any { return r.integer("f") }
	number := func(r *row) any { return r.number("f") }
	cents := func(r *row) any { return r.cents("f") }
	flag := func(r *row) any { return r.flag("f") }
	instant := func(r *row) any { return r.instant("f") }
	day := func(r *row) any { return r.day("f") }
	ref := func(r *row) any { return r.ref("f") }
	ids := func(r *row) any { return r.ids("f") }
	type misfit struct{}
	tests := []struct {
		name string
		read func(*row) any
		in   any
		want any
	}{
		{"amount", cents, 12.5, civil.Cents(1250)},
		{"amount as an integer", cents, int64(90), civil.Cents(9000)},
		{"amount empty", cents, false, civil.Cents(0)},
		{"amount too large", cents, 1e30, misfit{}},
		{"date", day, "2026-07-06", civil.NewDate(2026, 7, 6)},
		{"date empty", day, false, civil.Date{}},
		{"date impossible", day, "2026-02-30", misfit{}},
		{"date true", day, true, misfit{}},
		{"flag", flag, true, true},
		{"flag as an integer", flag, int64(1), misfit{}},
		{"html", text, "<p>x</p>", "<p>x</p>"},
		{"ids", ids, []any{int64(3), int64(1)}, []int64{3, 1}},
		{"ids empty", ids, []any{}, []int64{}},
		{"ids false", ids, false, []int64(nil)},
		{"ids of text", ids, []any{"3"}, misfit{}},
		{"ids of zero", ids, []any{int64(0)}, misfit{}},
		{"ids true", ids, true, misfit{}},
		{"instant", instant, "2026-07-06 07:30:15", july},
		{"instant as a time", instant, july, july},
		{"instant empty", instant, false, time.Time{}},
		{"instant garbage", instant, "soon", misfit{}},
		{"instant true", instant, true, misfit{}},
		{"instant without a time", instant, "2026-07-06", misfit{}},
		{"integer", integer, int64(7), int64(7)},
		{"integer as a double", integer, 7.0, int64(7)},
		{"integer empty", integer, false, int64(0)},
		{"integer huge double", integer, 1e300, misfit{}},
		{"integer not whole", integer, 7.5, misfit{}},
		{"integer true", integer, true, misfit{}},
		{"number", number, 2.25, 2.25},
		{"number as an integer", number, int64(2), 2.0},
		{"number nan", number, math.NaN(), misfit{}},
		{"number text", number, "2", misfit{}},
		{"reference", ref, []any{int64(7), "Salle"}, Ref{7, "Salle"}},
		{"reference bare", ref, int64(7), Ref{ID: 7}},
		{"reference empty", ref, false, Ref{}},
		{"reference of text", ref, []any{"7", "Salle"}, misfit{}},
		{"reference short", ref, []any{int64(7)}, misfit{}},
		{"reference true", ref, true, misfit{}},
		{"reference with an empty name", ref, []any{int64(7), nil}, Ref{ID: 7}},
		{"reference with no name", ref, []any{int64(7), false}, Ref{ID: 7}},
		{"reference zero", ref, int64(0), misfit{}},
		{"text", text, "Eva", "Eva"},
		{"text empty", text, nil, ""},
		{"text false", text, false, ""},
		{"text number", text, int64(3), misfit{}},
		{"text true", text, true, misfit{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &row{model: "m", id: 4, values: map[string]any{"f": tt.in}, fields: map[string]Field{"f": {}}}
			got := tt.read(r)
			if _, bad := tt.want.(misfit); bad {
				if KindOf(r.err) != KindProtocol || !strings.Contains(r.err.Error(), "f of m 4") {
					t.Errorf("error %v for %v, want a protocol fault that names the field", r.err, tt.in)
				}
				return
			}
			if r.err != nil {
				t.Fatal(r.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRowFields(t *testing.T) {
	t.Parallel()
	r := &row{model: "m", id: 4, values: map[string]any{"extra": int64(1)}, fields: map[string]Field{"asked": {}}}
	if r.text("unknown") != "" || r.integer("extra") != 0 || r.err != nil {
		t.Errorf("a field that the server lacks is zero, got error %v", r.err)
	}
	if r.text("asked"); r.err == nil {
		t.Error("an asked field that does not come is no error")
	}
	first := r.err
	if r.integer("asked"); !errors.Is(r.err, first) {
		t.Error("the first misfit is not kept")
	}
}

func TestVersionOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   any
		want Version
		ok   bool
	}{
		{"community", map[string]any{"server_version": "17.0", "server_version_info": []any{int64(17), int64(0), int64(0), "final", int64(0), nil}}, Version{"17.0", 17}, true},
		{"enterprise", map[string]any{"server_version": "18.0+e", "server_version_info": []any{int64(18)}}, Version{"18.0+e", 18}, true},
		{"online", map[string]any{"server_version": "saas~17.4+e", "server_version_info": []any{"saas~17", int64(4)}}, Version{"saas~17.4+e", 17}, true},
		{"text only", map[string]any{"server_version": "saas-19.1"}, Version{"saas-19.1", 19}, true},
		{"unreadable", map[string]any{"server_version": "master"}, Version{"master", 0}, true},
		{"other service", map[string]any{"version": "1"}, Version{}, false},
		{"no struct", "17.0", Version{}, false},
	} {
		got, err := versionOf(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

func TestProfileFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		series, want int
		known        bool
	}{{0, 14, false}, {13, 14, false}, {14, 14, true}, {16, 16, true}, {17, 17, true}, {19, 19, true}, {22, 19, false}} {
		p, known := profileFor(tt.series)
		if p.Series != tt.want || known != tt.known {
			t.Errorf("series %d: profile %d, known %v", tt.series, p.Series, known)
		}
	}
}
