package mollie

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"ribambelle/internal/pay"
)

const (
	// methodsFresh is how long the list of methods is believed: an account rarely changes it.
	methodsFresh = 10 * time.Minute
	// methodsWait bounds the question, because somebody is waiting for a page.
	methodsWait = 4 * time.Second
	// maxMethods bounds what is kept of the list.
	maxMethods = 50
)

// methods remembers the ways to pay of the account.
type methods struct {
	mu    sync.Mutex
	ids   []string
	asked time.Time
}

// Methods lists the ways to pay that the account has, Bancontact and cards first. The answer is at most ten minutes
// old; when Mollie does not answer, an older one serves.
func (c *Client) Methods(ctx context.Context) ([]string, error) {
	c.methods.mu.Lock()
	known, fresh := c.methods.ids, time.Since(c.methods.asked) < methodsFresh
	c.methods.mu.Unlock()
	if known != nil && fresh {
		return slices.Clone(known), nil
	}
	ctx, cancel := context.WithTimeout(ctx, methodsWait)
	defer cancel()
	ids, err := c.askMethods(ctx)
	if err != nil {
		if known != nil && pay.Temporary(err) {
			return slices.Clone(known), nil
		}
		return nil, err
	}
	c.methods.mu.Lock()
	defer c.methods.mu.Unlock()
	c.methods.ids, c.methods.asked = ids, time.Now()
	return slices.Clone(ids), nil
}

// askMethods is the cheapest call that proves key and account.
func (c *Client) askMethods(ctx context.Context) ([]string, error) {
	const doing = "listing the ways to pay"
	raw, err := c.call(ctx, doing, http.MethodGet, "/v2/methods", "", nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Embedded struct {
			Methods []struct {
				ID string `json:"id"`
			} `json:"methods"`
		} `json:"_embedded"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, unusable(doing, errors.New("the answer is no list of methods"))
	}
	ids := []string{}
	for _, m := range answer.Embedded.Methods {
		if m.ID != "" && len(m.ID) <= 40 && len(ids) < maxMethods {
			ids = append(ids, m.ID)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return rank(a) - rank(b) })
	return ids, nil
}

// rank puts first what most families here pay with.
func rank(method string) int {
	switch method {
	case pay.MethodBancontact:
		return 0
	case pay.MethodCard:
		return 1
	}
	return 2
}

// Check proves the key and says which methods are open, in a few words for the command of that name.
func (c *Client) Check(ctx context.Context) (string, error) {
	ids, err := c.askMethods(ctx)
	if err != nil {
		return "", err
	}
	mode, _, _ := strings.Cut(c.key, "_")
	return fmt.Sprintf("mollie, %s mode: %s", mode, strings.Join(ids, ", ")), nil
}
