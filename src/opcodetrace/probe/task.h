/* asyncio's tasks are lanes of their own inside their thread: while a task makes a step, records bear the lane's number. */

#ifndef OPCODETRACE_TASK_H
#define OPCODETRACE_TASK_H

#include "thread.h"

/* Whether it is a task of asyncio's, in C. */
bool is_task(PyObject *object);
/* The task whose step a callback of the event loop is; borrowed, or NULL. No Python code runs. */
PyObject *task_of_callback(PyObject *callback);
/* Once in a process. 0, or -1 with an exception. */
int task_prepare(void);
/* The task that the event loop runs now, if this is its own coroutine; borrowed, or NULL. No Python code runs. */
PyObject *task_that_runs(PyObject *coroutine);
/* A coroutine is about to go on, driven by somebody who is no task known to us. Notes if several take turns so. */
void task_is_none(Thread *thread, PyGenObject *coroutine);
/* The address of its coroutine, 0: none. */
uint64_t task_coroutine(PyObject *task);
/* The number of the task's lane, a new one at its first step; UNNUMBERED if there are no more. */
uint32_t task_lane(Thread *thread, PyObject *task);
/* A step of the task whose lane the thread is in is over: notes where it stands, what its coroutine awaits, or that it has ended. */
void task_leaves(Thread *thread, PyObject *task);

#endif
