// The pools, each with connections that do nothing.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jackc/puddle/v2"
)

// database/sql, with as many idle connections allowed as open ones.
func newDatabase(most int) (func(int), func() float64) {
	driver := new(stubDriver)
	db := sql.OpenDB(driver)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	background := context.Background()
	acquire := func() *sql.Conn {
		conn, err := db.Conn(background)
		check(err)
		return conn
	}
	held := make([]*sql.Conn, most)
	for i := range held {
		held[i] = acquire()
	}
	for i := range held {
		check(held[i].Close())
	}
	return func(count int) {
		for i := 0; i < count; i++ {
			check(acquire().Close())
		}
	}, func() float64 { return float64(atomic.LoadInt64(&driver.dialed)) }
}

type stubDriver struct{ dialed int64 }
type stubConn struct{}

var errNone = errors.New("a stub")

func (d *stubDriver) Connect(context.Context) (driver.Conn, error) {
	atomic.AddInt64(&d.dialed, 1)
	return &stubConn{}, nil
}
func (d *stubDriver) Driver() driver.Driver             { return d }
func (d *stubDriver) Open(string) (driver.Conn, error)  { return nil, errNone }
func (c *stubConn) Prepare(string) (driver.Stmt, error) { return nil, errNone }
func (c *stubConn) Begin() (driver.Tx, error)           { return nil, errNone }
func (c *stubConn) Close() error                        { return nil }

type conn struct{ _ int }

// github.com/jackc/puddle
func newPuddle(most int) (func(int), func() float64) {
	var dialed int64
	pool, err := puddle.NewPool(&puddle.Config[*conn]{
		Constructor: func(context.Context) (*conn, error) {
			atomic.AddInt64(&dialed, 1)
			return new(conn), nil
		},
		Destructor: func(*conn) {},
		MaxSize:    int32(most),
	})
	check(err)
	background := context.Background()
	for i := 0; i < most; i++ {
		check(pool.CreateResource(background))
	}
	return func(count int) {
		for i := 0; i < count; i++ {
			resource, err := pool.Acquire(background)
			check(err)
			resource.Release()
		}
	}, func() float64 { return float64(atomic.LoadInt64(&dialed)) }
}

// A buffered channel. As in github.com/fatih/pool, of which it is the core, nothing bounds the open
// connections: who finds the channel empty dials, and who finds it full closes.
type channel struct {
	conns  chan *conn
	dialed int64
}

func (c *channel) get() *conn {
	select {
	case conn := <-c.conns:
		return conn
	default:
		atomic.AddInt64(&c.dialed, 1)
		return new(conn)
	}
}

func (c *channel) put(conn *conn) {
	select {
	case c.conns <- conn:
	default:
	}
}

func (c *channel) count() float64 { return float64(atomic.LoadInt64(&c.dialed)) }

func makeChannel(most int) *channel {
	pool := &channel{conns: make(chan *conn, most)}
	for i := 0; i < most; i++ {
		pool.conns <- new(conn)
	}
	pool.dialed = int64(most)
	return pool
}

func newChannel(most int) (func(int), func() float64) {
	pool := makeChannel(most)
	return func(count int) {
		for i := 0; i < count; i++ {
			pool.put(pool.get())
		}
	}, pool.count
}

// The same with what it takes to be used like a connection pool and to be closed, as in fatih/pool:
// a lock for either way, and an object per loan that knows its pool.
type guarded struct {
	lock    sync.RWMutex // for reading; whoever closes the pool takes it for writing
	channel *channel
}

type loan struct {
	lock   sync.RWMutex
	conn   *conn
	pool   *guarded
	broken bool
}

func (g *guarded) get() *loan {
	g.lock.RLock()
	channel := g.channel
	g.lock.RUnlock()
	return &loan{conn: channel.get(), pool: g}
}

func (l *loan) close() {
	l.lock.RLock()
	defer l.lock.RUnlock()
	if l.broken {
		return
	}
	l.pool.lock.RLock()
	defer l.pool.lock.RUnlock()
	l.pool.channel.put(l.conn)
}

func newGuarded(most int) (func(int), func() float64) {
	pool := &guarded{channel: makeChannel(most)}
	return func(count int) {
		for i := 0; i < count; i++ {
			pool.get().close()
		}
	}, pool.channel.count
}
