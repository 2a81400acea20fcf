using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace WebRtcIms.Abuse.Frame;

/// <summary>The part did not start. The message is its output.</summary>
internal sealed class PartException(string message) : Exception(message);

/// <summary>
/// A part of the product that this program started: the built program, with settings of its own, on a loopback port of its own. It ends
/// with SIGTERM.
/// </summary>
internal sealed partial class Part : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(15);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };

    private static readonly ConcurrentDictionary<Part, bool> Running = [];

    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private Part(Process process, Uri address)
    {
        _process = process;
        Address = address;
        Running[this] = true;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public Uri Address { get; }

    public int Port => Address.Port;

    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>
    /// Starts a service and waits until it answers. Settings that this version of the part does not have are left out, so that the same
    /// program also tries versions before a fix.
    /// </summary>
    /// <param name="name">The folder of its project.</param>
    /// <param name="settings">Its environment.</param>
    /// <param name="files">The number of files that it may open.</param>
    /// <exception cref="PartException">It ended, or did not answer in time.</exception>
    public static async Task<Part> StartAsync(string name, IReadOnlyDictionary<string, string> settings, int? files = null)
    {
        var known = new Dictionary<string, string>(settings);
        while (true)
        {
            var part = Run(name, known, Ports.Free(), files);
            if (await part.AnswersAsync()) return part;
            await part.DisposeAsync();
            var count = known.Count;
            foreach (Match unknown in UnknownSetting().Matches(part.Output))
            {
                var setting = unknown.Groups[1].Value.Replace(":", "__", StringComparison.Ordinal);
                foreach (var key in known.Keys.Where(key => key.StartsWith(setting, StringComparison.Ordinal)).ToList()) known.Remove(key);
            }

            if (known.Count == count) throw new PartException($"{name} does not start: {part.Output.Trim()}");
        }
    }

    /// <summary>Starts a program that does not speak HTTP, and waits until it accepts connections on its port.</summary>
    public static async Task<Part> StartRedisAsync(string password)
    {
        var port = Ports.Free();
        var part = Run(
            "Garnet", new Dictionary<string, string> { ["GARNET_PORT"] = Text(port), ["GARNET_PASSWORD"] = password }, port);
        await Wait.UntilAsync(() => Ports.IsOpen(port) || part._process.HasExited, StartLimit);
        return part;
    }

    /// <summary>Ends the parts of findings that did not come to their end.</summary>
    public static async Task EndAllAsync()
    {
        foreach (var part in Running.Keys) await part.DisposeAsync();
    }

    /// <summary>SIGTERM, and the wait for the exit.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Running.TryRemove(this, out _)) return;
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", Text(_process.Id)]);
            await kill.WaitForExitAsync();
            using var limit = new CancellationTokenSource(EndLimit);
            try
            {
                await _process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill();
                await _process.WaitForExitAsync();
            }
        }

        // Also waits for the end of its output.
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static Part Run(string name, Dictionary<string, string> settings, int port, int? files = null)
    {
        var address = new Uri($"http://localhost:{Text(port)}");
        var program = Repository.ProgramOf(name);
        var start = new ProcessStartInfo(files is null ? program : "prlimit", files is null ? [] : [$"--nofile={files}", program])
        {
            WorkingDirectory = Repository.PathOf(name),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // Settings in the environment of this program belong to another application.
        string[] kept = ["PATH", "HOME", "TMPDIR", "DOTNET_ROOT", "LANG"];
        foreach (var variable in start.Environment.Keys.Except(kept).ToList()) start.Environment.Remove(variable);
        start.Environment["ASPNETCORE_URLS"] = $"http://127.0.0.1:{Text(port)}";
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        foreach (var (key, value) in settings) start.Environment[key] = value.Replace("{port}", Text(port), StringComparison.Ordinal);
        return new Part(Process.Start(start)!, address);
    }

    private async Task<bool> AnswersAsync()
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < StartLimit; await Task.Delay(100))
        {
            if (_process.HasExited) return false;
            try
            {
                using var answer = await Http.GetAsync(new Uri(Address, "/alive"));
                if (answer.IsSuccessStatusCode) return true;
            }
            catch (HttpRequestException)
            {
                // Not yet.
            }
        }

        return false;
    }

    private void Keep(string? line)
    {
        lock (_output) _output.AppendLine(line);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex("([A-Za-z0-9:]+) is not a setting")]
    private static partial Regex UnknownSetting();
}
