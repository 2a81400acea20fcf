using System.Diagnostics;
using System.Net.Security;

namespace WebRtcIms.Deploy.Tests;

/// <summary>A part in its own process, with the environment of a container and nothing else.</summary>
internal sealed class PartProcess : ServerProcess
{
    // Configuration and framework of the build, such as Debug/net10.0.
    private static readonly string OutputFolder = Path.Combine(
        [.. AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..]]);

    private int _isDisposed;

    private PartProcess(Workload workload, ProcessStartInfo start)
        : base(start) => Workload = workload;

    public Workload Workload { get; }

    public static PartProcess Start(Workload workload, IReadOnlyDictionary<string, string> environment)
    {
        var program = Repository.PathOf(workload.Project, "bin", OutputFolder, $"WebRtcIms.{workload.Project}.dll");
        var start = new ProcessStartInfo("dotnet", ["exec", program]) { WorkingDirectory = Repository.PathOf(workload.Project) };
        foreach (var name in start.Environment.Keys.Where(name => name is not ("PATH" or "DOTNET_ROOT")).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new PartProcess(workload, start);
    }

    /// <summary>Ends the process. One that did not come up has ended already.</summary>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0) await base.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Waits until each probe has the answer 200.</summary>
    public async Task UntilProbesAnswerAsync(int port, RemoteCertificateValidationCallback isTrusted)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = isTrusted },
        });
        foreach (var probe in Probes.Of(Workload))
        {
            // A pod is asked by its address, and the path is the one that the part must map.
            var address = new Uri($"{(probe.HttpGet.Scheme ?? "HTTP").ToLowerInvariant()}://127.0.0.1:{port}{probe.HttpGet.Path}");
            await UntilUpAsync(async cancel =>
            {
                try
                {
                    using var answer = await http.GetAsync(address, cancel);
                    return answer.IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            });
        }
    }
}
