// npm run schemas: writes the JSON Schemas that are part of the repository.
import { writeFileSync } from 'node:fs'
import { configSchemaFile, messagesSchemaFile } from '../paths.ts'
import { configSchema, messagesSchema, schemaText } from './schemas.ts'

writeFileSync(messagesSchemaFile, schemaText(messagesSchema()))
writeFileSync(configSchemaFile, schemaText(configSchema()))
