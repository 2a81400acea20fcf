using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>The WAF from its own output folder, in an empty folder with its store.</summary>
internal sealed class WafProcess : ServerProcess
{
    // Configuration and framework, such as Debug/net10.0, as the tests were built.
    private static readonly string[] OutputFolder =
        AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..];

    private readonly DirectoryInfo _folder;

    private WafProcess(ProcessStartInfo start, DirectoryInfo folder)
        : base(start) => _folder = folder;

    /// <summary>Over http.</summary>
    public string Address { get; private init; } = "";

    /// <summary>Over https, for clients that trust the certificate of the settings.</summary>
    public string SecureAddress { get; private init; } = "";

    /// <summary>Starts it with these environment variables. With a certificate it also listens over https.</summary>
    public static async Task<WafProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        var (port, securePort) = (FreePorts.Tcp(), FreePorts.Tcp());
        var (address, secureAddress) = ($"http://127.0.0.1:{port}", $"https://localhost:{securePort}");
        var hasCertificate = settings.Any(setting => setting.Name == "Kestrel__Certificates__Default__Path");
        var folder = Directory.CreateTempSubdirectory("waf-");
        var start = Foreground.Of("dotnet", Repository.PathOf(["Waf", "bin", .. OutputFolder, "WebRtcIms.Waf.dll"]));
        start.WorkingDirectory = folder.FullName;
        start.Environment["ASPNETCORE_URLS"] = hasCertificate ? $"{address};{secureAddress}" : address;
        start.Environment["ConnectionStrings__waf"] = "Data Source=waf.db";
        foreach (var (name, value) in settings) start.Environment[name] = value;
        var waf = new WafProcess(start, folder) { Address = address, SecureAddress = secureAddress };
        await waf.UntilUpAsync(cancel => AcceptsAsync(port, cancel));
        return waf;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
