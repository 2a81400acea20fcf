using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace WebRtcIms.Tests.Common;

/// <summary>An application host in its own process, as users start it, with random ports and its own user secrets.</summary>
public sealed class HostProcess : IAsyncDisposable
{
    // Configuration and framework of the build, such as Debug/net10.0.
    private static readonly string OutputFolder = string.Join(
        Path.DirectorySeparatorChar,
        AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..]);

    // No test asserts how long a start takes: 15 s on two idle processors, 56 s where four hosts start beside busy loops.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly Lock _lock = new();
    private readonly Task _output;
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HostProcess(Process process)
    {
        _process = process;
        _output = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    public int Id => _process.Id;

    public string Output
    {
        get
        {
            lock (_lock) return string.Join('\n', _lines);
        }
    }

    /// <summary>Starts the host with its launch profile <c>http</c>.</summary>
    public static HostProcess Start(Assembly host, DirectoryInfo secrets, params string[] arguments) =>
        Start(host, secrets, "http", [], arguments);

    /// <summary>Starts the host with a launch profile and additional environment variables.</summary>
    public static HostProcess Start(
        Assembly host, DirectoryInfo secrets, string profile, Dictionary<string, string> environment, params string[] arguments)
    {
        // From the output folder of the host: the folder of the tests holds the assemblies of the tests.
        var program = Path.Combine(ProjectOf(host), "bin", OutputFolder, Path.GetFileName(host.Location));
        var start = Foreground.Of("dotnet", ["exec", program, "--DcpPublisher:RandomizePorts=true", .. arguments]);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.Environment["APPDATA"] = secrets.FullName;
        foreach (var (name, value) in LaunchProfile(host, profile).Concat(environment)) start.Environment[name] = value;
        return new HostProcess(Process.Start(start)!);
    }

    private static string ProjectOf(Assembly host) =>
        host.GetCustomAttributes<AssemblyMetadataAttribute>().Single(entry => entry.Key == "apphostprojectpath").Value!;

    private static IEnumerable<KeyValuePair<string, string>> LaunchProfile(Assembly host, string name)
    {
        var settings = JsonElement.Parse(File.ReadAllText(Path.Combine(ProjectOf(host), "Properties", "launchSettings.json")));
        var profile = settings.GetProperty("profiles").GetProperty(name);
        return profile.GetProperty("environmentVariables").EnumerateObject()
            .Select(variable => KeyValuePair.Create(variable.Name, variable.Value.GetString()!))
            .Append(KeyValuePair.Create("ASPNETCORE_URLS", profile.GetProperty("applicationUrl").GetString()!));
    }

    /// <summary>
    /// The processes of a host with these user secrets: the host, the orchestrator, and all processes that it has started. The
    /// orchestrator is not a child of the host, but it inherits the environment.
    /// </summary>
    public static IReadOnlyList<int> Family(DirectoryInfo secrets) => Processes.WithEnvironment($"APPDATA={secrets.FullName}");

    public async Task UntilAsync(string text)
    {
        var limit = Limit();
        while (true)
        {
            Task more;
            lock (_lock)
            {
                if (_lines.Any(line => line.Contains(text, StringComparison.Ordinal))) return;
                more = _more.Task;
            }

            if (_output.IsCompleted) Assert.Fail($"The host ended without the output '{text}':\n{Output}");
            try
            {
                await Task.WhenAny(more, _output).WaitAsync(limit);
            }
            catch (TaskCanceledException)
            {
                Assert.Fail($"The host is without the output '{text}' after {Patience}:\n{Output}");
            }
        }
    }

    /// <summary>The exit code, after the end of the process and of its output.</summary>
    public async Task<int> WaitForExitAsync()
    {
        await _process.WaitForExitAsync(Limit());
        await _output.WaitAsync(Limit());
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_lock)
            {
                _lines.Add(line);
                _more.TrySetResult();
                _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    private static CancellationToken Limit()
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        return limit.Token;
    }
}
