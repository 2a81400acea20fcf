using Microsoft.AspNetCore.Hosting;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// <c>dotnet WebRtcIms.Waf.dll --health</c> asks the service that runs in the same container for its health. The images have no shell and
/// no other client, and container engines without probes over HTTP run a command. The exit code is 0 or 1.
/// </summary>
internal static class HealthCommand
{
    private const int Healthy = 0;
    private const int Unhealthy = 1;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static bool Is(string[] args) => args is ["--health"];

    /// <summary>Asks at the first plain address of the variables that the service listens by.</summary>
    public static Task<int> RunAsync() => RunAsync(AddressIn(
        Environment.GetEnvironmentVariable($"ASPNETCORE_{WebHostDefaults.ServerUrlsKey}".ToUpperInvariant()),
        Environment.GetEnvironmentVariable($"ASPNETCORE_{WebHostDefaults.HttpPortsKey}".ToUpperInvariant())));

    internal static async Task<int> RunAsync(Uri? address)
    {
        if (address is null)
        {
            const string problem = "ASPNETCORE_URLS or ASPNETCORE_HTTP_PORTS must have an http address.";
            await Console.Error.WriteLineAsync(problem).ConfigureAwait(false);
            return Unhealthy;
        }

        using var http = new HttpClient { Timeout = Limit };
        try
        {
            using var response = await http.GetAsync(new Uri(address, Extensions.HealthPath)).ConfigureAwait(false);
            Console.WriteLine(await response.Content.ReadAsStringAsync().ConfigureAwait(false));
            return response.IsSuccessStatusCode ? Healthy : Unhealthy;
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync(error.Message).ConfigureAwait(false);
            return Unhealthy;
        }
    }

    internal static Uri? AddressIn(string? urls, string? ports)
    {
        var separated = string.IsNullOrEmpty(urls) ? (ports ?? "").Split(';').Select(port => $"http://*:{port}") : urls.Split(';');
        return separated.Select(ListenAddresses.Parse).FirstOrDefault(address => address?.Scheme == Uri.UriSchemeHttp) is { } first
            ? new Uri($"http://{HostOf(first)}:{first.Port}") : null;
    }

    private static string HostOf(BindingAddress address) =>
        address.Host is "*" or "+" or "0.0.0.0" or "[::]" ? "localhost" : address.Host;
}
