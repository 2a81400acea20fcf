using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;
using WebRtcIms.ServiceDefaults.Certificates;

namespace WebRtcIms.ServiceDefaults;

/// <summary>
/// The certificates of Kestrel's settings, <c>Kestrel:Certificates:Default</c> and <c>Kestrel:Endpoints:{name}:Certificate</c>, loaded and
/// renewed as those of TURN are. Kestrel itself reads fewer layouts, and does not see a link with a new target.
/// </summary>
public static class KestrelCertificates
{
    private const string Kestrel = "Kestrel";
    private const string Default = "Kestrel:Certificates:Default";

    /// <summary>Gives https endpoints their certificates, and the <see cref="HttpsConnectionAdapterOptions"/> of the services.</summary>
    /// <exception cref="SettingsException">The settings of a certificate are not complete, or its files cannot be used.</exception>
    internal static void AddTo(WebApplicationBuilder builder)
    {
        var byDefault = Read(builder.Configuration.GetSection(Default));
        var ofEndpoints = builder.Configuration.GetSection("Kestrel:Endpoints").GetChildren()
            .Select(endpoint => (endpoint.Key, Files: Read(endpoint.GetSection("Certificate"))))
            .Where(endpoint => endpoint.Files is not null).ToDictionary(endpoint => endpoint.Key, endpoint => endpoint.Files!);
        if (byDefault is not null || ofEndpoints.Count > 0) CertificateWatch.AddTo(builder.Services);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ConfigureHttpsDefaults(https =>
            {
                // Kestrel keeps only one action for its defaults.
                foreach (var options in kestrel.ApplicationServices.GetServices<IConfigureOptions<HttpsConnectionAdapterOptions>>())
                    options.Configure(https);
                if (byDefault is not null && https.ServerCertificate is null) https.Use(kestrel.WatchOf(byDefault));
            });
            if (byDefault is null && ofEndpoints.Count == 0) return;
            var endpoints = kestrel.Configure(WithoutCertificates(builder.Configuration), reloadOnChange: false);
            foreach (var (name, files) in ofEndpoints)
                endpoints.Endpoint(name, endpoint => endpoint.HttpsOptions.Use(kestrel.WatchOf(files)));
        });
    }

    /// <summary>Sends this certificate with its chain, and after a renewal the new one.</summary>
    public static void Use(this HttpsConnectionAdapterOptions https, WatchedCertificate certificate)
    {
        var before = https.OnAuthenticate;
        https.ServerCertificate = certificate.Current.Leaf;
        https.OnAuthenticate = (connection, tls) =>
        {
            before?.Invoke(connection, tls);
            tls.ServerCertificateContext = certificate.Current.Context;
        };
    }

    private static WatchedCertificate WatchOf(this KestrelServerOptions kestrel, CertificateFiles files) =>
        kestrel.ApplicationServices.GetRequiredService<CertificateWatch>().Watch(files);

    private static CertificateFiles? Read(IConfigurationSection section)
    {
        // A certificate of a store of Windows has a Subject.
        if (!section.GetChildren().Any() || !string.IsNullOrEmpty(section["Subject"])) return null;
        if (section["Path"] is not { Length: > 0 } path)
        {
            if (section.GetChildren().All(child => string.IsNullOrEmpty(child.Value))) return null;
            throw SettingsException.Of([$"{section.Path}:Path is missing: {section.GetChildren().First().Path} needs it"]);
        }

        var password = section["Password"] is { Length: > 0 } given ? given : null;
        var files = new CertificateFiles(
            $"{section.Path}:Path", path, $"{section.Path}:KeyPath", section["KeyPath"], $"{section.Path}:Password", password);
        return LoadedCertificate.Load(files, out var problem) is not null ? files : throw SettingsException.Of([problem!]);
    }

    // What Kestrel itself shall read: all but the certificates of files.
    private static IConfigurationSection WithoutCertificates(ConfigurationManager configuration)
    {
        var kept = configuration.GetSection(Kestrel).AsEnumerable()
            .Where(entry => entry.Value is not null && !IsOfFile(configuration, entry.Key));
        return new ConfigurationBuilder().AddInMemoryCollection(kept).Build().GetSection(Kestrel);
    }

    private static bool IsOfFile(ConfigurationManager configuration, string key)
    {
        var parts = key.Split(':');
        var section = parts is [_, "Certificates", "Default", ..] ? Default
            : parts is [_, "Endpoints", _, "Certificate", ..] ? string.Join(':', parts[..4]) : null;
        return section is not null && !string.IsNullOrEmpty(configuration[$"{section}:Path"]);
    }
}
