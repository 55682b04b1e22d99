package connector

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Client asks one Odoo as one user. It signs in at the first call and is safe
// for concurrent use.
type Client struct {
	cfg    Config
	caller caller

	turn    chan struct{} // one goroutine signs in, the others wait
	mu      sync.Mutex
	current *session
}

// session is what holds from one sign-in to the next.
type session struct {
	uid     int64
	version Version
	profile Profile
	known   bool
	lang    string

	mu        sync.Mutex
	fields    map[string]map[string]Field
	cancelled map[int64]bool // whether a stage that was seen is the cancelled one
}

// Field is what fields_get tells about one field.
type Field struct {
	// Type is Odoo's field type, as in "char" or "many2one".
	Type string
	// Relation is the other model of a relational field.
	Relation string
	// Required and ReadOnly as declared, before any state-dependent rule.
	Required, ReadOnly bool
	// Selection lists the technical values of a selection field.
	Selection []string
}

// New checks the configuration. It does not call the server.
func New(cfg Config) (*Client, error) {
	cfg, root, err := cfg.normalised()
	if err != nil {
		return nil, err
	}
	return &Client{cfg: cfg, caller: newBreaker(newXMLRPC(cfg, root), cfg), turn: make(chan struct{}, 1)}, nil
}

// Close drops idle connections. The client may still be used.
func (c *Client) Close() { c.caller.close() }

// CampMark is the configured name of the tag or event type of camps.
func (c *Client) CampMark() string { return c.cfg.CampMark }

// Version asks the server what it is, without signing in.
func (c *Client) Version(ctx context.Context) (Version, error) {
	v, err := c.caller.version(ctx)
	if err != nil {
		return Version{}, err
	}
	return versionOf(v)
}

// Profile returns the profile of the server's series, signing in if need be.
func (c *Client) Profile(ctx context.Context) (Profile, error) {
	s, err := c.session(ctx)
	if err != nil {
		return Profile{}, err
	}
	return s.profile, nil
}

// UserID returns the integration user's id, signing in if need be. Rows whose
// write_uid is this id were last changed by this client.
func (c *Client) UserID(ctx context.Context) (int64, error) {
	s, err := c.session(ctx)
	if err != nil {
		return 0, err
	}
	return s.uid, nil
}

// session returns the current session or signs in. Only one goroutine does.
func (c *Client) session(ctx context.Context) (*session, error) {
	if s := c.peek(); s != nil {
		return s, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, lost(call{Method: "authenticate", ReadOnly: true}, KindTemporary, CodeCanceled, "The call was given up.", false, ctx.Err())
	}
	if s := c.peek(); s != nil {
		return s, nil
	}
	s, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.current = s
	c.mu.Unlock()
	return s, nil
}

func (c *Client) peek() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// forget drops a session that turned out to be stale.
func (c *Client) forget(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == s {
		c.current = nil
	}
}

func (c *Client) signIn(ctx context.Context) (*session, error) {
	version, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	uid, err := c.caller.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	if uid == 0 {
		return nil, &Fault{Kind: KindDenied, Code: CodePassword, Method: "authenticate", Message: "Odoo does not accept the user with this password."}
	}
	s := &session{uid: uid, version: version, lang: c.cfg.Lang, fields: map[string]map[string]Field{}, cancelled: map[int64]bool{}}
	s.profile, s.known = profileFor(version.Series)
	if s.lang == "" {
		if s.lang, err = c.userLang(ctx, uid); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// userLang asks for the user's language. Without a language in the context
// Odoo answers the source text of translated names, which goes stale where
// everybody works in French. A server that does not answer is one without
// users to configure; its names have one language.
func (c *Client) userLang(ctx context.Context, uid int64) (string, error) {
	v, err := c.caller.execute(ctx, uid, call{Model: "res.users", Method: "context_get", ReadOnly: true})
	if err != nil {
		if k := KindOf(err); k == KindProtocol || k == KindUser || k == KindAccess {
			return "", nil
		}
		return "", err
	}
	if m, ok := v.(map[string]any); ok {
		if lang, ok := m["lang"].(string); ok {
			return lang, nil
		}
	}
	return "", nil
}

// execute carries out a call in the current session, once more in a new one
// when Odoo refused the user, which it does before anything else.
func (c *Client) execute(ctx context.Context, k call) (any, error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	v, err := c.caller.execute(ctx, s.uid, s.inContext(k))
	if hasCode(err, CodeSession) {
		c.forget(s)
		if s, err = c.session(ctx); err != nil {
			return nil, err
		}
		v, err = c.caller.execute(ctx, s.uid, s.inContext(k))
	}
	if hasCode(err, CodeField) || hasCode(err, CodeModel) {
		// A module was installed, removed or upgraded meanwhile.
		c.forget(s)
	}
	return v, err
}

// inContext adds the language to a call's context.
func (s *session) inContext(k call) call {
	given, _ := k.Kwargs["context"].(map[string]any)
	if s.lang == "" || given["lang"] != nil || k.Method == "context_get" {
		return k
	}
	ctx := make(map[string]any, len(given)+1)
	maps.Copy(ctx, given)
	ctx["lang"] = s.lang
	kwargs := make(map[string]any, len(k.Kwargs)+1)
	maps.Copy(kwargs, k.Kwargs)
	kwargs["context"] = ctx
	k.Kwargs = kwargs
	return k
}

// Fields returns those of the named fields that the model has and the user
// may see; without names, all. It returns a protocol fault with CodeModel for
// a model whose module is not installed.
func (c *Client) Fields(ctx context.Context, model string, names ...string) (map[string]Field, error) {
	if names == nil {
		names = []string{}
	}
	v, err := c.execute(ctx, call{
		Model: model, Method: "fields_get", ReadOnly: true,
		Args:   []any{names},
		Kwargs: map[string]any{"attributes": []string{"type", "relation", "required", "readonly", "selection"}},
	})
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, badValue(model, fmt.Sprintf("fields_get is a %T", v))
	}
	fields := make(map[string]Field, len(m))
	for name, d := range m {
		d, ok := d.(map[string]any)
		if !ok {
			return nil, badValue(model, fmt.Sprintf("fields_get of %s is a %T", name, d))
		}
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		fields[name] = fieldOf(d)
	}
	return fields, nil
}

func fieldOf(d map[string]any) Field {
	var f Field
	f.Type, _ = d["type"].(string)
	f.Relation, _ = d["relation"].(string)
	f.Required, _ = d["required"].(bool)
	f.ReadOnly, _ = d["readonly"].(bool)
	options, _ := d["selection"].([]any)
	for _, o := range options {
		if pair, ok := o.([]any); ok && len(pair) == 2 {
			if value, ok := pair[0].(string); ok {
				f.Selection = append(f.Selection, value)
			}
		}
	}
	return f
}

// known returns, and remembers for the session, which of a model's wanted
// fields exist.
func (c *Client) known(ctx context.Context, model string, wanted []string) (map[string]Field, error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	fields, ok := s.fields[model]
	s.mu.Unlock()
	if ok {
		return fields, nil
	}
	if fields, err = c.Fields(ctx, model, wanted...); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.fields[model] = fields
	s.mu.Unlock()
	return fields, nil
}
