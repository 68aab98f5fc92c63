/* Python's calls of tiles.h: they check the arrays' sizes, and release the lock while they compute. */

/* fill(set, narrow, kernel, scale, (rows, count, r, stride), P, p, Q, q, K, weights or None) */
static PyObject *fill(PyObject *self, PyObject *args) {
    const char *name;
    int narrow, done = 0;
    Table t;
    Py_ssize_t a, b, r, stride;
    Py_buffer P, p, Q, q, K, W = {0};
    PyObject *weights;
    (void)self;
    if (!PyArg_ParseTuple(args, "spid(nnnn)y*y*y*y*w*O:fill", &name, &narrow, &t.kernel, &t.scale, &a, &b, &r, &stride,
                          &P, &p, &Q, &q, &K, &weights))
        return NULL;
    const Set *set = set_called(name);
    const Py_ssize_t word = narrow ? (Py_ssize_t)sizeof(float) : (Py_ssize_t)sizeof(double);
    const Py_ssize_t held = a > 0 ? ((a - 1) * stride + b) * word : 0;
    int ready = set && loaded();
    if (ready && weights != Py_None) ready = PyObject_GetBuffer(weights, &W, PyBUF_WRITABLE) == 0;
    if (ready)
        ready = agree(a >= 0 && b >= 0 && r > 0 && stride >= b && P.len == a * r * word && p.len == a * word &&
                      Q.len == b * r * word && q.len == b * word && K.len == held && (!W.obj || W.len == held));
    if (ready) {
        t.r = r;
        Py_BEGIN_ALLOW_THREADS;
        done = set->fill[narrow ? 1 : 0](&t, P.buf, p.buf, a, Q.buf, q.buf, b, K.buf, W.buf, stride);
        Py_END_ALLOW_THREADS;
        if (!done) PyErr_NoMemory();
    }
    PyBuffer_Release(&P), PyBuffer_Release(&p), PyBuffer_Release(&Q), PyBuffer_Release(&q), PyBuffer_Release(&K);
    if (W.obj) PyBuffer_Release(&W);
    if (!done) return NULL;
    Py_RETURN_NONE;
}

/* product(set, narrow, kernel, scale, (rows, count, r, c), P, p, Q, q, B (c, count), out (c, rows)) */
static PyObject *product(PyObject *self, PyObject *args) {
    const char *name;
    int narrow, done = 0;
    Table t;
    Py_ssize_t a, b, r, c;
    Py_buffer P, p, Q, q, B, out;
    (void)self;
    if (!PyArg_ParseTuple(args, "spid(nnnn)y*y*y*y*y*w*:product", &name, &narrow, &t.kernel, &t.scale, &a, &b, &r, &c,
                          &P, &p, &Q, &q, &B, &out))
        return NULL;
    const Set *set = set_called(name);
    const Py_ssize_t word = narrow ? (Py_ssize_t)sizeof(float) : (Py_ssize_t)sizeof(double);
    const Py_ssize_t wide = sizeof(double);
    if (set && loaded() &&
        agree(a >= 0 && b >= 0 && r > 0 && c > 0 && P.len == a * r * word && p.len == a * word &&
              Q.len == b * r * word && q.len == b * word && B.len == c * b * wide && out.len == c * a * wide)) {
        t.r = r;
        Py_BEGIN_ALLOW_THREADS;
        done = set->product[narrow ? 1 : 0](&t, P.buf, p.buf, a, Q.buf, q.buf, b, B.buf, out.buf, c);
        Py_END_ALLOW_THREADS;
        if (!done) PyErr_NoMemory();
    }
    PyBuffer_Release(&P), PyBuffer_Release(&p), PyBuffer_Release(&Q), PyBuffer_Release(&q);
    PyBuffer_Release(&B), PyBuffer_Release(&out);
    if (!done) return NULL;
    Py_RETURN_NONE;
}

/* panel(set, narrow, kernel, scale, (n, r, c, top, bottom), P, p, kept or None, formed, B (c, n), out (c, n)) */
static PyObject *panel(PyObject *self, PyObject *args) {
    const char *name;
    int narrow, formed, done = 0;
    Table t;
    Py_ssize_t n, r, c, top, bottom;
    Py_buffer P, p, B, out, kept = {0};
    PyObject *place;
    (void)self;
    if (!PyArg_ParseTuple(args, "spid(nnnnn)y*y*Opy*w*:panel", &name, &narrow, &t.kernel, &t.scale, &n, &r, &c, &top,
                          &bottom, &P, &p, &place, &formed, &B, &out))
        return NULL;
    const Set *set = set_called(name);
    const Py_ssize_t word = narrow ? (Py_ssize_t)sizeof(float) : (Py_ssize_t)sizeof(double);
    const Py_ssize_t wide = sizeof(double);
    int ready = set && loaded();
    if (ready && place != Py_None) ready = PyObject_GetBuffer(place, &kept, PyBUF_WRITABLE) == 0;
    if (ready)
        ready = agree(0 <= top && top <= bottom && bottom <= n && r > 0 && c > 0 && P.len == n * r * word &&
                      p.len == n * word && B.len == c * n * wide && out.len == c * n * wide &&
                      (!kept.obj || kept.len == (bottom - top) * bottom * word));
    if (ready) {
        t.r = r;
        Py_BEGIN_ALLOW_THREADS;
        done = set->panel[narrow ? 1 : 0](&t, P.buf, p.buf, n, top, bottom, kept.buf, formed, B.buf, out.buf, c);
        Py_END_ALLOW_THREADS;
        if (!done) PyErr_NoMemory();
    }
    PyBuffer_Release(&P), PyBuffer_Release(&p), PyBuffer_Release(&B), PyBuffer_Release(&out);
    if (kept.obj) PyBuffer_Release(&kept);
    if (!done) return NULL;
    Py_RETURN_NONE;
}
