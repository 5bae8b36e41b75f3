// A recorded graph on disk as a SavedModel, and at work.
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSavedModel, type Session } from '../../deploy/saved-model.ts'
import { type Graph, savedModel } from './graph.ts'

/** Writes the graph as a SavedModel, which any TensorFlow from 2.12 on loads. `dir` must exist. */
export async function writeSavedModel(graph: Graph, dir: string): Promise<void> {
  const pieces = savedModel(graph)
  const file = await open(join(dir, 'saved_model.pb'), 'w')
  try {
    // Piece by piece (writev takes at most 1024), so that large constants are not copied.
    for (let i = 0; i < pieces.length; i += 1000) await file.writev(pieces.slice(i, i + 1000))
  } finally {
    await file.close()
  }
}

/** Loads a graph that was just recorded, through a temporary folder. */
export async function openSession(graph: Graph): Promise<Session> {
  const dir = await mkdtemp(join(tmpdir(), 'roadmask-graph-'))
  try {
    await writeSavedModel(graph, dir)
    return await openSavedModel(dir, Object.keys(graph.signatures))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
