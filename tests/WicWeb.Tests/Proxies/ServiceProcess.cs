using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests.Proxies;

/// <summary>A service from its own output folder, in an empty folder, on a free port.</summary>
internal sealed class ServiceProcess : ServerProcess
{
    private readonly DirectoryInfo _folder;

    private ServiceProcess(string part, string address, DirectoryInfo folder, params (string Name, string Value)[] settings)
        : base(Start(part, address, folder, settings)) => (Address, _folder) = (address, folder);

    public string Address { get; }

    /// <summary>Starts it, and waits until it listens.</summary>
    /// <param name="part">The project, such as <c>Wwsf</c>.</param>
    /// <param name="settings">Environment variables, such as <c>Wwsf__HomeDomain</c>.</param>
    public static async Task<ServiceProcess> StartAsync(string part, params (string Name, string Value)[] settings)
    {
        var port = FreePorts.Tcp();
        var service = new ServiceProcess(
            part, $"http://127.0.0.1:{port}", Directory.CreateTempSubdirectory($"{part}-".ToLowerInvariant()), settings);
        await service.UntilUpAsync(cancel => AcceptsAsync(port, cancel));
        return service;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static System.Diagnostics.ProcessStartInfo Start(
        string part, string address, DirectoryInfo folder, (string Name, string Value)[] settings)
    {
        var start = Foreground.Of("dotnet", Parts.ProgramOf(part));
        start.WorkingDirectory = folder.FullName;
        start.Environment["ASPNETCORE_URLS"] = address;
        start.Environment["AllowedHosts"] = "127.0.0.1";
        foreach (var (name, value) in settings) start.Environment[name] = value;
        return start;
    }
}
