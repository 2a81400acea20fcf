using Microsoft.Playwright;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>Measures frequencies in the sound that a page receives from the far end, in decibels.</summary>
internal static class Sound
{
    public static Task ListenAsync(IPage page) => page.EvaluateAsync(
        """
        () => {
          const audio = new AudioContext();
          window.ear = new AnalyserNode(audio, { fftSize: 4096, smoothingTimeConstant: 0 });
          audio.createMediaStreamSource(document.querySelector('[data-testid=far-video]').srcObject).connect(window.ear);
          return audio.resume();
        }
        """);

    /// <summary>Waits until a frequency is stronger than those around it.</summary>
    public static Task WaitForToneAsync(IPage page, int frequency) => page.WaitForFunctionAsync(
        """
        frequency => {
          const bins = new Float32Array(window.ear.frequencyBinCount);
          window.ear.getFloatFrequencyData(bins);
          const at = hertz => Math.max(...[-1, 0, 1].map(by => bins[Math.round(hertz / window.ear.context.sampleRate * 4096) + by]));
          return at(frequency) > -60 && at(frequency) > Math.max(at(frequency / 2), at(frequency * 1.5)) + 20;
        }
        """,
        frequency, new() { Timeout = 10_000, PollingInterval = 20 });

    /// <summary>Waits until both frequencies of a key (ITU-T Q.23) are stronger than all frequencies between them.</summary>
    public static Task WaitForKeyAsync(IPage page, int row, int column) => page.WaitForFunctionAsync(
        """
        ([row, column]) => {
          const bins = new Float32Array(window.ear.frequencyBinCount);
          window.ear.getFloatFrequencyData(bins);
          const at = hertz => Math.max(...[-1, 0, 1].map(by => bins[Math.round(hertz / window.ear.context.sampleRate * 4096) + by]));
          return Math.min(at(row), at(column)) > -60 && Math.min(at(row), at(column)) > at((row + column) / 2) + 20;
        }
        """,
        new[] { row, column }, new() { Timeout = 10_000, PollingInterval = 20 });
}
