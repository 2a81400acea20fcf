using System.Diagnostics;
using System.Globalization;

namespace WebRtcIms.Rolling.Tests;

/// <summary>A real HAProxy with <c>deploy/proxies/haproxy-replicas.cfg</c>, without TLS. Only addresses are replaced.</summary>
internal sealed class Balancer : ServerProcess
{
    private readonly DirectoryInfo _folder;
    private readonly HttpClient _http = new();
    private readonly int _status;

    private Balancer(ProcessStartInfo start, DirectoryInfo folder, int status)
        : base(start) => (_folder, _status) = (folder, status);

    /// <param name="ports">Of each replica such as <c>waf-1</c>, and where HAProxy listens for each part, such as <c>waf</c>.</param>
    public static async Task<Balancer> StartAsync(IReadOnlyDictionary<string, int> ports)
    {
        var program = Tools.Require("haproxy", "haproxy");
        var folder = Directory.CreateTempSubdirectory("haproxy-");
        var status = FreePorts.Tcp();
        List<(string Sample, string Own)> replacements =
        [
            ("bind :443 ssl crt /etc/haproxy/phone.example.com.pem alpn h2,http/1.1", $"bind 127.0.0.1:{ports["wic-web"]}"),
            ("X-Forwarded-Proto https", "X-Forwarded-Proto http"),
            ("bind 127.0.0.1:8404", $"bind 127.0.0.1:{status}"),
        ];
        foreach (var (part, sample) in ((string, int)[])[("wwsf", 8082), ("ep-cscf", 8084), ("waf", 8081), ("wic-web", 8080)])
        {
            if (part != "wic-web") replacements.Add(($"bind 127.0.0.1:{sample}", $"bind 127.0.0.1:{ports[part]}"));
            for (var number = 1; number <= 2; number++)
            {
                var replica = string.Create(CultureInfo.InvariantCulture, $"{part}-{number}");
                replacements.Add(($"{replica} 192.0.2.{number}:{sample}", $"{replica} 127.0.0.1:{ports[replica]}"));
            }
        }

        var file = Path.Combine(folder.FullName, "haproxy.cfg");
        await File.WriteAllTextAsync(file, Replace(replacements), TestContext.Current.CancellationToken);
        var balancer = new Balancer(new ProcessStartInfo(program, ["-db", "-f", file]), folder, status);
        await balancer.UntilUpAsync(cancel => AcceptsAsync(status, cancel));
        return balancer;
    }

    /// <summary>Waits until HAProxy gives requests to a replica.</summary>
    public async Task UntilUsedAsync(string replica)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        var address = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_status}/;csv"));
        while (true)
        {
            var lines = (await _http.GetStringAsync(address, limit.Token)).Split('\n').Select(line => line.Split(','));
            if (lines.Any(line => line.Length > 17 && line[1] == replica && line[17] == "UP")) return;
            await Task.Delay(50, limit.Token);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _http.Dispose();
        _folder.Delete(recursive: true);
    }

    private static string Replace(List<(string Sample, string Own)> replacements)
    {
        var text = File.ReadAllText(Repository.PathOf("deploy", "proxies", "haproxy-replicas.cfg"));
        foreach (var (sample, own) in replacements)
        {
            Assert.Contains(sample, text, StringComparison.Ordinal);
            text = text.Replace(sample, own, StringComparison.Ordinal);
        }

        return text;
    }
}
