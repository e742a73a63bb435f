// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.zaxxer.hikari.HikariConfig;
import io.micrometer.core.instrument.MeterRegistry;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.aop.framework.ProxyFactory;
import org.springframework.beans.PropertyAccessorFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DataObjectPropertyName;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;
import org.springframework.boot.jdbc.DataSourceBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.jdbc.datasource.SimpleDriverDataSource;

/** Applications of Spring Boot with a PostgreSQL server, as their properties configure them. */
class SpringTest {
  @Configuration(proxyBeanMethods = false)
  @EnableAutoConfiguration
  static class Application {}

  /** With two data sources of its own, of which one is called as Boot's would be. */
  @Configuration(proxyBeanMethods = false)
  @EnableAutoConfiguration
  static class Two {
    @Bean
    PooledDataSource dataSource() {
      return source();
    }

    @Bean(defaultCandidate = false)
    PooledDataSource stock() {
      PooledDataSource source = source();
      source.setPoolName("warehouse");
      return source;
    }

    private static PooledDataSource source() {
      PooledDataSource source = new PooledDataSource();
      source.setUrl(postgres.url());
      source.setMinimumIdle(0);
      return source;
    }
  }

  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static Postgres postgres;
  private static ConfigurableApplicationContext application;

  /** A service that is configured as with HikariCP, but for the type. */
  @BeforeAll
  static void start() throws Exception {
    postgres = new Postgres();
    application =
        runBoots(
            "server.port=0",
            "server.address=127.0.0.1",
            "management.endpoints.web.exposure.include=*",
            "management.endpoint.health.show-details=always",
            "spring.datasource.name=shop",
            "spring.datasource.hikari.maximum-pool-size=7",
            "spring.datasource.hikari.minimumIdle=2",
            "spring.datasource.hikari.connection-timeout=1234",
            "spring.datasource.hikari.connection-test-query=SELECT 41",
            "spring.datasource.hikari.isolate-internal-queries=true", // which this pool has not: a warning
            "spring.datasource.hikari.data-source-properties.ApplicationName=till",
            "spring.datasource.libpool.connection-timeout=4321",
            "spring.datasource.libpool.connection-init-sql=SET statement_timeout = '77s'",
            "spring.datasource.libpool.data-source-properties.tcpKeepAlive=true");
  }

  @AfterAll
  static void stop() throws Exception {
    application.close();
    postgres.close();
  }

  private static String[] arguments(List<String> settings) {
    List<String> all = new ArrayList<>(List.of("spring.main.banner-mode=off", "logging.level.root=warn"));
    all.addAll(settings);
    return all.stream().map("--"::concat).toArray(String[]::new);
  }

  private static ConfigurableApplicationContext run(Class<?> application, List<String> settings) {
    return SpringApplication.run(application, arguments(settings));
  }

  private static ConfigurableApplicationContext runBoots(String... settings) {
    return run(Application.class, boots(settings));
  }

  private static List<String> boots(String... settings) {
    List<String> all =
        new ArrayList<>(
            List.of(
                "spring.datasource.type=libpool.PooledDataSource",
                "spring.datasource.url=jdbc:postgresql://127.0.0.1:" + postgres.port() + "/postgres",
                "spring.datasource.username=test",
                "spring.datasource.password=secret"));
    all.addAll(List.of(settings));
    return all;
  }

  private static String refusal(String setting) {
    var failure =
        assertThrows(RuntimeException.class, () -> runBoots("spring.main.web-application-type=none", setting).close());
    return messages(failure);
  }

  private static String messages(Throwable e) {
    return e == null ? "" : e.getMessage() + "\n" + messages(e.getCause());
  }

  private static JsonObject ask(String path) {
    String url = "http://127.0.0.1:" + application.getEnvironment().getProperty("local.server.port") + "/actuator/" + path;
    try {
      var answer = HTTP.send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofString());
      return JsonParser.parseString(answer.body()).getAsJsonObject();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static double metric(String name) {
    JsonObject first = ask("metrics/" + name).getAsJsonArray("measurements").get(0).getAsJsonObject();
    return first.get("value").getAsDouble();
  }

  @Test
  void theTypeAndThePropertiesOfHikariAreEnoughForAnApplication() {
    PooledDataSource source = (PooledDataSource) application.getBean(DataSource.class);
    assertEquals("shop", source.getPoolName());
    assertEquals(7, source.getMaximumPoolSize());
    assertEquals(2, source.getMinimumIdle());
    assertEquals(4321, source.getConnectionTimeout());
    assertEquals(Map.of("ApplicationName", "till", "tcpKeepAlive", "true"), source.getDataSourceProperties());
    JdbcTemplate template = application.getBean(JdbcTemplate.class);
    assertEquals("77s", template.queryForObject("SHOW statement_timeout", String.class));
    assertEquals("till", template.queryForObject("SHOW application_name", String.class));
    assertEquals("test", template.queryForObject("SELECT current_user", String.class));
  }

  @Test
  void theActuatorShowsThePool() throws Exception {
    PooledDataSource source = (PooledDataSource) application.getBean(DataSource.class);
    assertEquals(7, metric("jdbc.connections.max"));
    assertEquals(2, metric("jdbc.connections.min"));
    try (Connection first = source.getConnection();
        Connection second = source.getConnection()) {
      assertFalse(first.isClosed() || second.isClosed());
      assertEquals(2, metric("jdbc.connections.active"));
      Fakes.until(() -> source.stats().idle() >= 2); // one more if an open was overtaken by a release
      Fakes.until(() -> metric("jdbc.connections.idle?tag=name:dataSource") == source.stats().idle());
    }
    assertEquals(0, metric("jdbc.connections.active"));
    assertEquals(7, metric("hikaricp.connections.max?tag=pool:shop"));
    assertTrue(metric("hikaricp.connections.acquire") >= 2);
  }

  @Test
  void theActuatorShowsTheHealthOfTheDatabase() {
    JsonObject database = ask("health").getAsJsonObject("components").getAsJsonObject("db");
    assertEquals("UP", database.get("status").getAsString());
    String query = database.getAsJsonObject("details").get("validationQuery").getAsString();
    assertEquals("SELECT 41", query);
  }

  @Test
  void aPropertyThatThePoolDoesNotHaveStopsTheApplicationAndIsNamed() {
    String refusal = refusal("spring.datasource.libpool.maximum-pool-sise=7");
    assertTrue(refusal.contains("maximum-pool-sise"), refusal);
    assertFalse(refusal.contains("secret"), refusal);
  }

  /** There a name has no dashes: Boot takes one without them, and one with underscores in their place. */
  @Test
  void theEnvironmentSetsPropertiesInTheSpellingsThatBootKnows() {
    Map<String, Object> variables =
        Map.of(
            "SPRING_DATASOURCE_HIKARI_MINIMUM_IDLE", "2",
            "SPRING_DATASOURCE_LIBPOOL_MAXIMUM_POOL_SIZE", "3",
            "SPRING_DATASOURCE_LIBPOOL_CONNECTIONTIMEOUT", "4321",
            "SPRING_DATASOURCE_LIBPOOL_POOLNAME", "till");
    String name = StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME;
    ConfigurableEnvironment environment = new StandardEnvironment();
    environment.getPropertySources().replace(name, new SystemEnvironmentPropertySource(name, variables));
    SpringApplication till = new SpringApplication(Application.class);
    till.setEnvironment(environment);
    try (var context = till.run(arguments(boots("spring.main.web-application-type=none")))) {
      PooledDataSource source = context.getBean(PooledDataSource.class);
      assertEquals(2, source.getMinimumIdle());
      assertEquals(3, source.getMaximumPoolSize());
      assertEquals(4321, source.getConnectionTimeout());
      assertEquals("till", source.getPoolName());
    }
  }

  @Test
  void aValueThatCannotBeStopsTheApplicationAndIsNamed() {
    String refusal = refusal("spring.datasource.libpool.maximum-pool-size=0");
    assertTrue(refusal.contains("maximumPoolSize is 0"), refusal);
  }

  @Test
  void dataSourcesOfTheApplicationItselfGetNamesAndNoProperties() {
    PooledDataSource source;
    try (var context =
        run(
            Two.class,
            List.of(
                "spring.main.web-application-type=none",
                "spring.datasource.type=libpool.PooledDataSource",
                "spring.datasource.libpool.maximum-pool-size=7"))) {
      source = context.getBean("dataSource", PooledDataSource.class);
      assertEquals("dataSource", source.getPoolName());
      assertEquals("warehouse", context.getBean("stock", PooledDataSource.class).getPoolName());
      assertEquals(10, source.getMaximumPoolSize());
      assertEquals(0, gauge(context, "jdbc.connections.active", "dataSource")); // before the pool began
      assertEquals(10, gauge(context, "jdbc.connections.max", "dataSource"));
      assertEquals(10, gauge(context, "jdbc.connections.max", "stock"));
    }
    assertTrue(source.isClosed(), "Spring closes it");
  }

  private static double gauge(ConfigurableApplicationContext context, String name, String source) {
    return context.getBean(MeterRegistry.class).get(name).tag("name", source).gauge().value();
  }

  /** As tools for migrations do that have a user of their own. */
  @Test
  void aBuilderMakesAnotherDataSourceOfIt() {
    try (PooledDataSource source = new PooledDataSource()) {
      source.setUrl(postgres.url());
      source.setUsername("nobody");
      source.setPassword("secret");
      var derived = DataSourceBuilder.derivedFrom(source).type(SimpleDriverDataSource.class).username("test").build();
      assertEquals("test", derived.getUsername());
      assertEquals("secret", derived.getPassword());
      assertEquals(postgres.url(), derived.getUrl());
    }
  }

  /** As Spring does to what it observes or refreshes. */
  @Test
  void aProxyOfItsClassCanBeMade() throws Exception {
    try (PooledDataSource source = Two.source()) {
      var factory = new ProxyFactory(source);
      factory.setProxyTargetClass(true);
      var proxy = assertInstanceOf(PooledDataSource.class, factory.getProxy());
      try (Connection connection = proxy.getConnection()) {
        assertTrue(connection.isValid(5));
        assertEquals(1, source.getActiveConnections());
      }
    }
  }

  private static String value(Class<?> type, String property) {
    return property.equals("transactionIsolation")
        ? "TRANSACTION_SERIALIZABLE"
        : type == boolean.class ? "true" : type == String.class ? "text" : "77777";
  }

  /** Of a simple type; a class is named elsewhere. */
  private static Map<String, Class<?>> properties(Class<?> of) {
    Map<String, Class<?>> all = new TreeMap<>();
    for (Method method : of.getMethods()) {
      Class<?>[] types = method.getParameterTypes();
      if (method.getName().startsWith("set") && types.length == 1 && (types[0].isPrimitive() || types[0] == String.class)) {
        all.put(Character.toLowerCase(method.getName().charAt(3)) + method.getName().substring(4), types[0]);
      }
    }
    all.keySet().removeIf(name -> name.endsWith("ClassName"));
    return all;
  }

  @Test
  void eachSimplePropertyOfHikariIsBound() throws Exception {
    Map<String, Class<?>> all = properties(HikariConfig.class);
    all.keySet().removeAll(List.of("dataSourceJNDI", "isolateInternalQueries")); // the page says why
    assertTrue(all.size() > 20);
    var text = new MapConfigurationPropertySource();
    all.forEach((name, type) -> text.put("p." + DataObjectPropertyName.toDashedForm(name), value(type, name)));
    try (PooledDataSource source = new PooledDataSource()) {
      new Binder(text).bind("p", Bindable.ofInstance(source), new NoUnboundElementsBindHandler(BindHandler.DEFAULT));
      var bean = PropertyAccessorFactory.forBeanPropertyAccess(source);
      all.forEach((name, type) -> assertEquals(value(type, name), String.valueOf(bean.getPropertyValue(name)), name));
    }
  }
}
