import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';
import { digestString, machineName, surfaceName } from '../models/contracts/ids.ts';

/*
 * What options and arguments may hold. Commander calls these with the text and, where an option stands several times, what there was before;
 * each throws InvalidArgumentError, of which commander says whose value it is.
 */

/** A number from 1 on. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return value;
}

/** 0 asks the system for any port. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0 || value > 65_535) throw new InvalidArgumentError('It must be a port, 0 to 65535.');
  return value;
}

/** A day that the calendar has, YYYY-MM-DD. */
export function calendarDay(text: string): string {
  const day = new Date(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(day.getTime()) || !day.toISOString().startsWith(text))
    throw new InvalidArgumentError('It must be a day of the calendar, YYYY-MM-DD.');
  return text;
}

/** Epoch milliseconds of a moment in ISO 8601. */
export function moment(text: string): number {
  const atMs = Date.parse(text);
  if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(atMs)) throw new InvalidArgumentError('It must be a moment such as 2026-03-01T00:00:00Z.');
  return atMs;
}

/** A name, a reason, a path: something must be said. */
export function someText(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must say something.');
  return text;
}

export const surface = (text: string): string => named(surfaceName, text);
export const digest = (text: string): string => named(digestString, text);
export const machine = (text: string): string => named(machineName, text);
export const machines = (text: string, before: string[] = []): string[] => [...before, machine(text)];

function named(schema: z.ZodType<string>, text: string): string {
  const parsed = schema.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError(`It must be ${parsed.error.issues[0]?.message ?? 'another one'}.`);
  return parsed.data;
}
