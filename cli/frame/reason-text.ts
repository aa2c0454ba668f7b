import { percent } from '../../experiments/percent.ts';
import { type Reason, tippingOf } from '../../experiments/framing/reason.ts';
import type { CheckUnit, Measurement } from '../../models/contracts/assumption.ts';
import { durationText } from '../sessions/duration.ts';

const number = (value: number): string => (Number.isInteger(value) ? String(value) : Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** A measured value for a person. */
export function valueText(value: number, unit: CheckUnit): string {
  switch (unit) {
    case 'share':
      return value !== 0 && value < 0.001 ? `${(value * 100).toPrecision(2)} %` : percent(value);
    case 'ms':
      return durationText(Math.round(value));
    case 'minor':
      return `${(value / 100).toFixed(2)} (major units)`;
    case 'days':
      return `${number(value)} days`;
    case 'units-per-day':
      return `${number(value)} a day`;
    default:
      return `${number(value)} ${unit}`;
  }
}

/** With its interval; or why there is none. */
export function measuredText({ value, unit, interval, why }: Measurement): string {
  if (value === null) return `not known: ${why}`;
  return interval === undefined ? valueText(value, unit) : `${valueText(value, unit)} [${valueText(interval.low, unit)}, ${valueText(interval.high, unit)}]`;
}

/** Within which bounds the choice stands, and how far the value is from the nearer one. */
export function standsText(reason: Reason): string {
  const { measured, min, max } = reason;
  const { bound, sure } = tippingOf(reason);
  const shown = (value: number) => valueText(value, measured.unit);
  const bounds = [...(min === undefined ? [] : [`from ${shown(min)}`]), ...(max === undefined ? [] : [`up to ${shown(max)}`])];
  return `stands ${bounds.join(' ')}, ${distanceText(measured.value ?? 0, bound)}${sure ? '' : ', NOT SURE: the interval crosses it'}`;
}

function distanceText(value: number, bound: number): string {
  if (value === bound) return 'where it is';
  if (bound <= 0) return 'above it';
  return value >= 2 * bound ? `${times(value / bound)} times as much` : `${percent(Math.abs(value / bound - 1), 0)} ${value > bound ? 'above' : 'below'} it`;
}

const times = (ratio: number): string => (ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1));

/** A reason in a line. */
export const reasonText = (reason: Reason): string => `${reason.claim}: ${measuredText(reason.measured)}; ${standsText(reason)}`;
