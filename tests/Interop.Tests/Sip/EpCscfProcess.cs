using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Sip;

/// <summary>The eP-CSCF from its own output folder, with a pool of guests.</summary>
internal sealed class EpCscfProcess : ServerProcess
{
    public const string Domain = "ims.example";
    public const string Waf = "waf.ims.example";

    private readonly HttpClient _http = new();

    private EpCscfProcess(ProcessStartInfo start)
        : base(start)
    {
    }

    public int Port { get; private init; }

    /// <summary>Starts it, and waits until it is healthy.</summary>
    /// <param name="key">The key of registration tokens, with the name <c>r1</c>.</param>
    public static async Task<EpCscfProcess> StartAsync(byte[] key)
    {
        var port = FreePorts.Tcp();
        var start = Foreground.Of("dotnet", Parts.ProgramOf("EpCscf"));
        foreach (var (name, value) in ((string, string)[])[
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{port}"), ("AllowedHosts", "127.0.0.1"),
            ("EpCscf__HomeDomain", Domain), ("EpCscf__Waf", Waf), ("EpCscf__SessionsKeys__0", "0123456789abcdef0123456789abcdef"),
            ("EpCscf__TokenKeys__0__Kid", "r1"), ("EpCscf__TokenKeys__0__Key", Convert.ToBase64String(key)),
            ("EpCscf__Pools__0__Name", "guest"), ("EpCscf__Pools__0__Size", "9"), ("EpCscf__Pools__0__DisplayName", "Guest"),
            ("EpCscf__Pools__0__AllowedWafs__0", Waf), ("EpCscf__Pools__0__AllowedWwsfs__0", Fleet.WafProcess.Client)])
            start.Environment[name] = value;
        var server = new EpCscfProcess(start) { Port = port };
        await server.UntilUpAsync(server.IsUpAsync);
        return server;
    }

    public override async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await base.DisposeAsync();
    }

    private async Task<bool> IsUpAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri($"http://127.0.0.1:{Port}/health"), cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
