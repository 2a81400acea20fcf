using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.WicWeb.Tests.Proxies;

/// <summary>A real nginx or HAProxy with the file of <c>deploy/proxies</c>. Only ports and paths are replaced.</summary>
internal sealed class ReverseProxy : ServerProcess
{
    private readonly DirectoryInfo _folder;

    private ReverseProxy(ProcessStartInfo start, int port, DirectoryInfo folder)
        : base(start) => (Port, _folder) = (port, folder);

    public int Port { get; }

    public static Task<ReverseProxy> StartNginxAsync(int port, Uri gateway, TestCertificate certificate)
    {
        var program = Tools.Require("nginx", "nginx");
        var folder = Directory.CreateTempSubdirectory("nginx-");
        var server = Replace(
            "nginx.conf", ("listen 443", $"listen 127.0.0.1:{port}"), ("127.0.0.1:8080", gateway.Authority),
            ("/etc/ssl/phone.example.com/fullchain.pem", certificate.CertificateFile),
            ("/etc/ssl/phone.example.com/privkey.pem", certificate.KeyFile));
        var temporary = string.Join('\n', from name in (string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                                          select $"{name}_temp_path {folder.FullName}/{name};");
        // A worker of another user could not read the certificate.
        var user = Environment.UserName == "root" ? "user root;" : "";
        var file = Path.Combine(folder.FullName, "nginx.conf");
        File.WriteAllText(file, $$"""
            {{user}} daemon off; pid {{folder.FullName}}/pid; worker_processes 1; error_log stderr notice;
            events { worker_connections 256; }
            http {
            access_log off; {{temporary}}
            {{server}}
            }
            """);
        return StartAsync(new ProcessStartInfo(program, ["-p", folder.FullName, "-e", "stderr", "-c", file]), port, folder);
    }

    public static Task<ReverseProxy> StartHaproxyAsync(int port, Uri gateway, TestCertificate certificate)
    {
        var program = Tools.Require("haproxy", "haproxy");
        var folder = Directory.CreateTempSubdirectory("haproxy-");
        var pem = Path.Combine(folder.FullName, "phone.pem");
        File.WriteAllText(pem, $"{File.ReadAllText(certificate.CertificateFile)}\n{File.ReadAllText(certificate.KeyFile)}");
        var file = Path.Combine(folder.FullName, "haproxy.cfg");
        File.WriteAllText(file, Replace(
            "haproxy.cfg", ("bind :443", $"bind 127.0.0.1:{port}"), ("127.0.0.1:8080", gateway.Authority),
            ("/etc/haproxy/phone.example.com.pem", pem)));
        return StartAsync(new ProcessStartInfo(program, ["-db", "-f", file]), port, folder);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static string Replace(string name, params (string Sample, string Own)[] replacements)
    {
        var text = File.ReadAllText(Repository.PathOf("deploy", "proxies", name));
        foreach (var (sample, own) in replacements)
        {
            Assert.Contains(sample, text, StringComparison.Ordinal);
            text = text.Replace(sample, own, StringComparison.Ordinal);
        }

        return text;
    }

    private static async Task<ReverseProxy> StartAsync(ProcessStartInfo start, int port, DirectoryInfo folder)
    {
        var proxy = new ReverseProxy(start, port, folder);
        await proxy.UntilUpAsync(cancel => AcceptsAsync(port, cancel));
        return proxy;
    }
}
