//! How far block builders are throttled, by how much data waits for L1.

use crate::{
    action::DaLimits,
    event::Millis,
    options::{PidParams, ThrottleController, ThrottleOptions},
};

/// The controller and what it remembers.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    options: ThrottleOptions,
    pid: Pid,
    intensity: f64,
    told: Option<DaLimits>,
}

/// What a PID controller remembers.
#[derive(Clone, Copy, Debug, Default)]
struct Pid {
    integral: f64,
    error: f64,
    sampled: Option<Millis>,
}

impl Throttle {
    pub(crate) fn new(options: ThrottleOptions) -> Self {
        Self {
            options,
            pid: Pid::default(),
            intensity: 0.0,
            told: None,
        }
    }

    pub(crate) const fn intensity(&self) -> f64 {
        self.intensity
    }

    pub(crate) const fn limits(&self) -> Option<DaLimits> {
        self.told
    }

    pub(crate) const fn controller(&self) -> ThrottleController {
        self.options.controller
    }

    /// Whether block builders are throttled now.
    pub(crate) fn is_active(&self) -> bool {
        self.intensity > 0.0
    }

    /// Controls by another rule, which begins without a memory.
    // spec: opstack 7.5
    pub(crate) fn set_controller(&mut self, controller: ThrottleController) {
        self.options.controller = controller;
        self.pid = Pid::default();
    }

    /// The limits for `load` unsafe bytes, if they are others than before.
    ///
    /// Nothing is throttled at the lower threshold itself.
    // spec: opstack 7.5
    pub(crate) fn update(&mut self, now: Millis, load: u64) -> Option<DaLimits> {
        let lower = self.options.lower_threshold;
        if lower == 0 {
            return None;
        }
        let above = load.saturating_sub(lower);
        let range = self.options.upper_threshold.saturating_sub(lower).max(1);
        let share = (above as f64 / range as f64).min(1.0);
        self.intensity = match self.options.controller {
            ThrottleController::Step => f64::from(u8::from(above > 0)),
            ThrottleController::Linear => share,
            ThrottleController::Quadratic => share * share,
            ThrottleController::Pid(params) => {
                let error = above as f64 / lower as f64;
                self.pid.output(&params, now, error, self.intensity)
            }
        };
        let limits = self.limits_at(self.intensity);
        (self.told.replace(limits) != Some(limits)).then_some(limits)
    }

    /// What block builders may take at an intensity. A lower limit of 0 stands for none at all.
    // spec: opstack 7.5
    fn limits_at(&self, intensity: f64) -> DaLimits {
        let options = &self.options;
        let step = matches!(options.controller, ThrottleController::Step);
        let intensity = if step { intensity.ceil() } else { intensity };
        DaLimits {
            max_tx_size: if options.tx_size_lower == 0 || intensity <= 0.0 {
                0
            } else {
                between(options.tx_size_upper, options.tx_size_lower, intensity)
            },
            max_block_size: if options.block_size_lower == 0 {
                0
            } else {
                between(
                    options.block_size_upper,
                    options.block_size_lower,
                    intensity,
                )
            },
        }
    }
}

/// From `upper` at intensity 0 to `lower` at 1.
fn between(upper: u64, lower: u64, intensity: f64) -> u64 {
    let range = upper.saturating_sub(lower);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between the two sizes"
    )]
    let size = (upper as f64 - intensity.clamp(0.0, 1.0) * range as f64) as u64;
    size
}

impl Pid {
    /// The output for an error, which is never negative: below the threshold nothing adds up.
    // spec: opstack 7.5
    fn output(&mut self, params: &PidParams, now: Millis, error: f64, before: f64) -> f64 {
        let elapsed = match self.sampled {
            Some(sampled) if now.saturating_sub(sampled) < params.sample => return before,
            Some(sampled) => (now - sampled) as f64 / 1000.0,
            None => 0.0,
        };
        self.sampled = Some(now);
        if error <= 0.0 {
            (self.integral, self.error) = (0.0, 0.0);
            return 0.0;
        }
        let mut slope = 0.0;
        if elapsed > 0.0 {
            self.integral = (self.integral + error * elapsed).min(params.integral_max);
            slope = (error - self.error) / elapsed;
        }
        self.error = error;
        let output = params.kp * error + params.ki * self.integral + params.kd * slope;
        output.clamp(0.0, params.output_max.min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOWER: u64 = 1_000_000;
    const UPPER: u64 = 2_000_000;

    fn throttle(controller: ThrottleController) -> Throttle {
        Throttle::new(ThrottleOptions {
            controller,
            lower_threshold: LOWER,
            upper_threshold: UPPER,
            ..ThrottleOptions::default()
        })
    }

    #[track_caller]
    fn assert_intensities(controller: ThrottleController, expected: [f64; 8]) {
        let loads = [
            0,
            LOWER / 2,
            LOWER,
            LOWER + 1,
            LOWER + LOWER / 4,
            LOWER + LOWER / 2,
            UPPER,
            2 * UPPER,
        ];
        for (load, expected) in loads.into_iter().zip(expected) {
            let mut throttle = throttle(controller);
            throttle.update(0, load);
            let found = throttle.intensity();
            assert!(
                (found - expected).abs() < 0.001,
                "{load}: {found}, expected {expected}"
            );
        }
    }

    #[test]
    fn step_throttles_fully_above_the_threshold_and_not_at_it() {
        assert_intensities(
            ThrottleController::Step,
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        );
    }

    #[test]
    fn linear_throttles_in_proportion() {
        assert_intensities(
            ThrottleController::Linear,
            [0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 1.0, 1.0],
        );
    }

    #[test]
    fn quadratic_throttles_by_the_square() {
        assert_intensities(
            ThrottleController::Quadratic,
            [0.0, 0.0, 0.0, 0.0, 0.0625, 0.25, 1.0, 1.0],
        );
    }

    #[test]
    fn intensity_0_gives_the_upper_limit_and_1_the_lower_ones() {
        let mut throttle = throttle(ThrottleController::Linear);
        let free = DaLimits {
            max_tx_size: 0,
            max_block_size: 130_000,
        };
        assert_eq!(throttle.update(0, 0), Some(free));
        let half = DaLimits {
            max_tx_size: 10_075,
            max_block_size: 66_000,
        };
        assert_eq!(throttle.update(0, LOWER + LOWER / 2), Some(half));
        let full = DaLimits {
            max_tx_size: 150,
            max_block_size: 2000,
        };
        assert_eq!(throttle.update(0, UPPER), Some(full));
    }

    #[test]
    fn limits_are_told_only_when_they_change() {
        let mut throttle = throttle(ThrottleController::Step);
        assert!(throttle.update(0, 0).is_some());
        assert_eq!(throttle.update(0, LOWER), None);
        assert!(throttle.update(0, UPPER).is_some());
        assert_eq!(throttle.update(0, 3 * UPPER), None);
    }

    #[test]
    fn a_lower_threshold_of_0_turns_throttling_off() {
        let mut throttle = Throttle::new(ThrottleOptions {
            lower_threshold: 0,
            ..ThrottleOptions::default()
        });
        assert_eq!(throttle.update(0, u64::MAX), None);
        assert!(!throttle.is_active());
    }

    /// Released blocks grow by no more than the backlog shrinks (I3).
    #[test]
    fn throttling_is_released_smoothly() {
        let mut throttle = throttle(ThrottleController::Quadratic);
        let mut before = None;
        for load in (0..=2 * UPPER).rev().step_by(20_000) {
            throttle.update(0, load);
            let now = throttle.limits().unwrap().max_block_size;
            if let Some(before) = before {
                assert!(
                    now - before <= 128_000 / 25,
                    "from {before} to {now} at {load}"
                );
            }
            before = Some(now);
        }
    }

    fn pid(params: PidParams) -> Throttle {
        throttle(ThrottleController::Pid(params))
    }

    #[test]
    fn pid_sums_up_and_forgets_below_the_threshold() {
        let params = PidParams {
            kp: 0.1,
            ki: 0.1,
            kd: 0.0,
            ..PidParams::default()
        };
        let mut throttle = pid(params);
        // the error is half the threshold; the first sample has no time behind it
        throttle.update(0, LOWER + LOWER / 2);
        assert!((throttle.intensity() - 0.05).abs() < 1e-9);
        throttle.update(2000, LOWER + LOWER / 2);
        assert!((throttle.intensity() - (0.05 + 0.1 * 0.5 * 2.0)).abs() < 1e-9);
        throttle.update(4000, LOWER);
        assert!(!throttle.is_active());
        throttle.update(6000, LOWER + LOWER / 2);
        assert!((throttle.intensity() - (0.05 + 0.1 * 0.5 * 2.0)).abs() < 1e-9);
    }

    #[test]
    fn pid_takes_no_sample_before_its_time() {
        let mut throttle = pid(PidParams::default());
        throttle.update(0, LOWER);
        throttle.update(1999, 3 * UPPER);
        assert!(!throttle.is_active());
        throttle.update(2000, 3 * UPPER);
        assert!(throttle.is_active());
    }

    #[test]
    fn pid_integral_windup_and_output_are_bounded() {
        let params = PidParams {
            kp: 0.0,
            ki: 0.001,
            kd: 0.0,
            integral_max: 100.0,
            output_max: 0.8,
            ..PidParams::default()
        };
        let mut throttle = pid(params);
        for sample in 0..1000 {
            throttle.update(sample * 2000, 10 * UPPER);
        }
        assert!((throttle.intensity() - 0.1).abs() < 1e-9);
        let mut strong = pid(PidParams { kp: 50.0, ..params });
        strong.update(0, 10 * UPPER);
        assert!((strong.intensity() - 0.8).abs() < 1e-9);
    }

    #[test]
    fn another_controller_begins_without_a_memory() {
        let mut throttle = pid(PidParams::default());
        throttle.update(0, 10 * UPPER);
        throttle.set_controller(ThrottleController::Linear);
        throttle.update(1, LOWER + LOWER / 2);
        assert!((throttle.intensity() - 0.5).abs() < 1e-9);
    }
}
