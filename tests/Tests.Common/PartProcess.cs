using System.Diagnostics;
using System.Net.Security;

namespace WebRtcIms.Tests.Common;

/// <summary>A part in its own process, with the given environment and nothing else.</summary>
public sealed class PartProcess : ServerProcess
{
    private int _isDisposed;

    private PartProcess(string part, ProcessStartInfo start)
        : base(start) => Part = part;

    /// <summary>Such as <c>waf</c>.</summary>
    public string Part { get; }

    /// <summary>Starts it, and does not wait until it is up.</summary>
    /// <param name="part">A key of <see cref="Parts.Projects"/>.</param>
    /// <param name="environment">Such as <c>Waf__Issuer</c>.</param>
    /// <param name="behind">A program whose last arguments are those of the part, such as <c>prlimit --nofile=100</c>.</param>
    public static PartProcess Start(string part, IReadOnlyDictionary<string, string> environment, params string[] behind)
    {
        var project = Parts.Projects[part];
        string[] command = [.. behind, "dotnet", "exec", Parts.ProgramOf(project)];
        var start = Foreground.Of(command[0], command[1..]);
        start.WorkingDirectory = Repository.PathOf(project);
        foreach (var name in start.Environment.Keys.Where(name => name is not ("PATH" or "DOTNET_ROOT" or "TMPDIR")).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return new PartProcess(part, start);
    }

    /// <summary>Ends the process. One that did not come up has ended already.</summary>
    public override async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0) await base.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Waits until it answers 200 at an address, such as that of its health.</summary>
    /// <param name="address">With the port of this process.</param>
    /// <param name="isTrusted">Judges its certificate.</param>
    public async Task UntilAnswersAsync(Uri address, RemoteCertificateValidationCallback? isTrusted = null)
    {
        using var http = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = isTrusted } });
        var last = "no answer";
        try
        {
            await UntilUpAsync(async cancel =>
            {
                last = await AskAsync(http, address, cancel);
                return last == "OK";
            });
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"{Part}: {address} has not answered 200, but: {last}\n{Output}");
        }
    }

    private static async Task<string> AskAsync(HttpClient http, Uri address, CancellationToken cancel)
    {
        try
        {
            using var answer = await http.GetAsync(address, cancel);
            return answer.StatusCode.ToString();
        }
        catch (HttpRequestException error)
        {
            return error.Message;
        }
    }
}
