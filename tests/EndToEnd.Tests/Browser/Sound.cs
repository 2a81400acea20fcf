using Microsoft.Playwright;

namespace WebRtcIms.EndToEnd.Tests.Browser;

/// <summary>Measures frequencies in the sound that a page receives from the far end, in decibels.</summary>
internal static class Sound
{
    public static Task ListenAsync(IPage page) => page.EvaluateAsync(
        """
        () => {
          const audio = new AudioContext();
          const stream = document.querySelector('[data-testid=far-video]').srcObject;
          window.ear = new AnalyserNode(audio, { fftSize: 4096, smoothingTimeConstant: 0 });
          audio.createMediaStreamSource(stream).connect(window.ear);
          window.tape = [];
          const recorder = new MediaRecorder(new MediaStream(stream.getAudioTracks()));
          recorder.ondataavailable = ({ data }) => window.tape.push(data);
          recorder.start(100);
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

    /// <summary>
    /// Waits until both frequencies of a key (ITU-T Q.23) were stronger than the one between them. A key sounds for 160 ms, and a busy page
    /// looks less often. So this reads what was recorded since <see cref="ListenAsync"/>.
    /// </summary>
    public static async Task WaitForKeyAsync(IPage page, int row, int column)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(10));
        while (!await page.EvaluateAsync<bool>(FindKey, new[] { row, column })) await Task.Delay(200, limit.Token);
    }

    private const string FindKey =
        """
        async ([row, column]) => {
          const tape = await new Blob(window.tape).arrayBuffer();
          const sound = await window.ear.context.decodeAudioData(tape).catch(() => null);
          if (!sound) return false;
          const samples = sound.getChannelData(0);
          const size = 4096;
          // A Hann window keeps the frequencies apart.
          const shape = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / size));
          // The power of one frequency in decibels (Goertzel).
          const at = (from, hertz) => {
            const turn = 2 * Math.cos(2 * Math.PI * hertz / sound.sampleRate);
            let [one, two] = [0, 0];
            for (let i = 0; i < size; i++) [one, two] = [shape[i] * samples[from + i] + turn * one - two, one];
            return 10 * Math.log10((one * one + two * two - turn * one * two) / (size * size) + 1e-12);
          };
          for (let from = 0; from + size <= samples.length; from += size / 4) {
            const key = Math.min(at(from, row), at(from, column));
            if (key > -60 && key > at(from, (row + column) / 2) + 20) return true;
          }
          return false;
        }
        """;
}
