package connector

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Level says how bad a line of a Report is.
type Level string

// The levels of a report's lines.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning" // something will not work
	LevelError   Level = "error"   // nothing will work
)

// Line is one finding.
type Line struct {
	Level Level
	// Key names the finding, as in "odoo.check.password"; Args fill the
	// message of that key.
	Key  string
	Args []any
	// Text is the finding as one English sentence.
	Text string
	// EffectKey and Effect tell what will not work because of it; empty when
	// all is well.
	EffectKey, Effect string
}

// Report is what Check found.
type Report struct {
	// URL and DB repeat the configuration.
	URL, DB string
	// Version is zero when no Odoo answered.
	Version Version
	// Supported says that the series is one of 14 to 19.
	Supported bool
	// UserID is 0 when the sign-in was refused; Lang is the user's language.
	UserID int64
	Lang   string
	// Rights tells each right that was asked, as in "event.event:read".
	Rights map[string]bool
	// Modules lists the modules that were seen, sorted: from fields, and from
	// the list of modules where the user may read it.
	Modules []string

	lines []Line
}

// Lines returns the findings in the order in which they were made.
func (r *Report) Lines() []Line { return slices.Clone(r.lines) }

// OK reports whether the daily work is possible: no line is an error.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.lines, func(l Line) bool { return l.Level == LevelError })
}

// String is the report as plain English, one line a finding.
func (r *Report) String() string {
	var b strings.Builder
	for _, l := range r.lines {
		fmt.Fprintf(&b, "%-8s %s", l.Level, l.Text)
		if l.Effect != "" {
			b.WriteString(" " + l.Effect)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r *Report) ok(key, text string, args ...any) {
	r.lines = append(r.lines, Line{Level: LevelOK, Key: "odoo.check." + key, Args: args, Text: fmt.Sprintf(text, args...)})
}

func (r *Report) problem(level Level, key, text, effectKey, effect string, args ...any) {
	r.lines = append(r.lines, Line{
		Level: level, Key: "odoo.check." + key, Args: args, Text: fmt.Sprintf(text, args...),
		EffectKey: "odoo.effect." + effectKey, Effect: effect,
	})
}

func (r *Report) fault(err error) {
	key, text := "failed", err.Error()
	if f, ok := asFault(err); ok {
		key, text = f.Code, f.Message
		if f.Code == CodeRefused {
			key = string(f.Kind)
		}
	}
	r.problem(LevelError, key, "%s", "nothing", "Nothing is exchanged with Odoo.", text)
}

// rightNeeded is a right that some part of the work depends on.
type rightNeeded struct {
	model     string
	op        Operation
	level     Level
	what      string
	effectKey string
	effect    string
}

var rightsNeeded = []rightNeeded{
	{ModelEvent, OpRead, LevelError, "read events", "no_camps", "No camp can be pulled."},
	{ModelTicket, OpRead, LevelError, "read tickets", "no_prices", "Prices and quotas cannot be pulled."},
	{ModelTag, OpRead, LevelWarning, "read tags", "no_tags", "Camps cannot be told from other events by their tags."},
	{ModelStage, OpRead, LevelWarning, "read stages", "no_stages", "A cancelled event is not recognised."},
	{ModelEventType, OpRead, LevelWarning, "read event types", "no_types", "Camps cannot be told from other events by their type."},
	{ModelRegistration, OpRead, LevelError, "read registrations", "no_external", "Registrations made in Odoo are not seen."},
	{ModelRegistration, OpCreate, LevelError, "create registrations", "no_push", "Registrations cannot be sent to Odoo."},
	{ModelRegistration, OpWrite, LevelError, "change registrations", "no_push", "Registrations cannot be sent to Odoo."},
	{ModelPartner, OpRead, LevelWarning, "read contacts", "no_partner_read", "Contacts in Odoo cannot be compared with ours."},
	{ModelPartner, OpCreate, LevelWarning, "create contacts (group Contact Creation)", "no_partners", "Guardians are not sent as contacts; registrations carry name, e-mail and phone only."},
	{ModelEvent, OpWrite, LevelWarning, "change events (group Events: User)", "no_commands", "Dates, places and names cannot be changed from the portal."},
}

// Check looks at the server and the user as a person would before going live.
// It changes nothing, signs in afresh, and stops at the first finding that
// makes the rest pointless. The report is complete when the context ends, too.
func (c *Client) Check(ctx context.Context) *Report {
	r := &Report{DB: c.cfg.DB, URL: c.cfg.URL, Rights: map[string]bool{}}
	version, err := c.Version(ctx)
	if err != nil {
		r.fault(err)
		return r
	}
	r.Version = version
	r.series()
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(c.cfg.URL)), "http://") && !loopback(c.cfg.URL) {
		r.problem(LevelWarning, "plain_http", "The address begins with http://.", "plain_http", "The password and the families' names travel readable; use https://.")
	}
	c.forget(c.peek())
	s, err := c.session(ctx)
	if err != nil {
		r.fault(err)
		return r
	}
	r.UserID, r.Lang = s.uid, s.lang
	r.ok("user", "Signed in to database %[1]s as %[2]s (user %[3]d, language %[4]s).", c.cfg.DB, c.cfg.User, s.uid, orNone(s.lang))
	if !c.checkModule(ctx, r) {
		return r
	}
	c.checkRights(ctx, r)
	c.checkModules(ctx, r)
	c.checkMark(ctx, r)
	return r
}

// series judges the version.
func (r *Report) series() {
	p, known := profileFor(r.Version.Series)
	r.Supported = known
	switch {
	case !known:
		r.problem(LevelWarning, "series_unknown", "Odoo %[1]s answers; series 14 to 19 are known.", "series_unknown",
			fmt.Sprintf("It is treated like series %d; fields may be missing.", p.Series), r.Version.Text)
	case p.Deprecated:
		r.problem(LevelWarning, "series_deprecated", "Odoo %[1]s answers.", "series_deprecated",
			"It announces the end of XML-RPC with Odoo 22; everything works until then.", r.Version.Text)
	default:
		r.ok("series", "Odoo %[1]s answers.", r.Version.Text)
	}
}

// checkModule finds out if the event application is there and readable.
func (c *Client) checkModule(ctx context.Context, r *Report) bool {
	_, err := c.known(ctx, ModelEvent, eventModel.fields)
	switch {
	case err == nil:
		return true
	case hasCode(err, CodeModel):
		r.problem(LevelError, "no_event_module", "The application Events (module event) is not installed.", "nothing", "Nothing is exchanged with Odoo.")
	default:
		r.fault(err)
	}
	return false
}

func (c *Client) checkRights(ctx context.Context, r *Report) {
	for _, n := range rightsNeeded {
		allowed, err := c.CheckAccess(ctx, n.model, n.op)
		if err != nil && KindOf(err) != KindAccess {
			r.problem(LevelWarning, "right_unknown", "It is not known whether the user may %[1]s: %[2]s", n.effectKey, n.effect, n.what, messageOf(err))
			continue
		}
		r.Rights[n.model+":"+string(n.op)] = allowed
		if allowed {
			r.ok("right", "The user may %[1]s.", n.what)
			continue
		}
		r.problem(n.level, "right_missing", "The user may not %[1]s.", n.effectKey, n.effect, n.what)
	}
	r.Rights["ir.model.data:read"] = false
	if allowed, err := c.CheckAccess(ctx, "ir.model.data", OpRead); err == nil {
		r.Rights["ir.model.data:read"] = allowed
	}
}

// moduleFields tells a module from a field that it alone adds.
var moduleFields = []struct{ module, model, field, effectKey, effect string }{
	{"event_sale", ModelTicket, "price", "no_event_sale", "Tickets have no price in Odoo; prices are set in the portal."},
	{"website_event", ModelEvent, "website_url", "no_website_event", "Whether an event is published is not known; it counts as published."},
}

func (c *Client) checkModules(ctx context.Context, r *Report) {
	seen := map[string]bool{"event": true}
	for _, m := range moduleFields {
		fields, err := c.Fields(ctx, m.model, m.field)
		if err != nil {
			continue
		}
		if _, ok := fields[m.field]; ok {
			seen[m.module] = true
			continue
		}
		r.problem(LevelWarning, "no_module", "The module %[1]s is not installed.", m.effectKey, m.effect, m.module)
	}
	for _, name := range c.installed(ctx) {
		seen[name] = true
	}
	r.Modules = slices.Sorted(maps.Keys(seen))
	r.ok("modules", "Modules seen: %[1]s.", strings.Join(r.Modules, ", "))
}

// installed lists the installed modules that matter to us; nothing when the
// user may not read the list, which is the usual case.
func (c *Client) installed(ctx context.Context) []string {
	if allowed, err := c.CheckAccess(ctx, "ir.module.module", OpRead); err != nil || !allowed {
		return nil
	}
	v, err := c.execute(ctx, call{
		Model: "ir.module.module", Method: "search_read", ReadOnly: true,
		Args: []any{[]any{[]any{"state", "=", "installed"}, []any{"name", "in", []string{
			"event", "event_sale", "website_event", "website_event_sale", "website_event_questions", "account", "sale", "portal", "payment",
		}}}},
		Kwargs: map[string]any{"fields": []string{"name"}, "order": "name"},
	})
	if err != nil {
		return nil
	}
	list, _ := v.([]any)
	var names []string
	for _, e := range list {
		m, _ := e.(map[string]any)
		if name, ok := m["name"].(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// checkMark looks for the tag or event type that makes an event a camp.
func (c *Client) checkMark(ctx context.Context, r *Report) {
	mark, err := c.FindMark(ctx)
	if err != nil {
		r.problem(LevelWarning, "mark_unknown", "The camp mark %[1]q could not be looked up: %[2]s", "no_camps", "No camp can be pulled.", c.cfg.CampMark, messageOf(err))
		return
	}
	if mark.IsZero() {
		r.problem(LevelWarning, "no_mark", "No tag and no event type is called %[1]q.", "no_mark", "No event counts as a camp until one is made.", c.cfg.CampMark)
		return
	}
	r.ok("mark", "Camps are the events marked %[1]q: %[2]d tags, %[3]d event types.", c.cfg.CampMark, len(mark.TagIDs), len(mark.TypeIDs))
}

// Mark is what makes an event a camp: it carries one of the tags or was made
// from one of the types.
type Mark struct{ TagIDs, TypeIDs []int64 }

// IsZero reports whether no event can carry the mark.
func (m Mark) IsZero() bool { return len(m.TagIDs) == 0 && len(m.TypeIDs) == 0 }

// Marks reports whether an event is a camp.
func (m Mark) Marks(e Event) bool {
	return slices.Contains(m.TypeIDs, e.Type.ID) ||
		slices.ContainsFunc(e.TagIDs, func(id int64) bool { return slices.Contains(m.TagIDs, id) })
}

// FindMark looks up the tags and event types whose name is the configured camp
// mark, in any case of letters.
func (c *Client) FindMark(ctx context.Context) (Mark, error) {
	tags, err := c.TagsChanged(ctx, anyTime)
	if err != nil {
		return Mark{}, err
	}
	types, err := c.EventTypes(ctx)
	if err != nil {
		return Mark{}, err
	}
	return c.MarkAmong(tags, types), nil
}

// MarkAmong is FindMark for tags and types that were already read.
func (c *Client) MarkAmong(tags []Tag, types []EventType) Mark {
	var m Mark
	want := strings.TrimSpace(c.cfg.CampMark)
	for _, t := range tags {
		if strings.EqualFold(strings.TrimSpace(t.Name), want) {
			m.TagIDs = append(m.TagIDs, t.ID)
		}
	}
	for _, t := range types {
		if strings.EqualFold(strings.TrimSpace(t.Name), want) {
			m.TypeIDs = append(m.TypeIDs, t.ID)
		}
	}
	return m
}

func messageOf(err error) string {
	if f, ok := asFault(err); ok && f.Message != "" {
		return f.Message
	}
	return err.Error()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
